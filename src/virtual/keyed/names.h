// Names of files for the keys of a place, as in cache/. A key that would have the name of a fixed
// file beside it has its first byte written as %XX.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "virtual/keyed/place.h"

namespace tusk::virt {

std::optional<std::string> name_in(const Place& folder, std::string_view key);
std::optional<std::string> key_in(const Place& folder, std::string_view name);

}  // namespace tusk::virt
