// A file of sql/, as the build embeds it.
#pragma once

#include <string_view>

namespace tusk::store {

struct SqlFile {
  std::string_view name;
  std::string_view text;
};

}  // namespace tusk::store
