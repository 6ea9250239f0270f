// The keyed trees there are.
#pragma once

#include <functional>

#include "virtual/keyed/place.h"

namespace tusk::virt {

// What the files beside the keys of cache/ need of it.
struct CacheHooks {
  std::function<std::string()> counts;  // lines of .stats that the driver knows
  std::function<void(const std::string&)> key_changed;
  std::function<void()> all_changed;
  std::function<void()> settings_changed;
};

Place cache_side(CacheHooks hooks);  // .ttl/, .stats, .config, .control
Place flags();
Place rate_limits();
Place sessions();

// A folder .ttl/ with a file for each key.
Place ttl_folder(std::string list, std::string read, std::string write,
                 std::function<void(const Keys&)> written);

}  // namespace tusk::virt
