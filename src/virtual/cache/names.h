// Keys of the cache as names of files: what a name cannot hold is written as %XX.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace tusk::virt {

// Empty: the key has no name that fits a folder.
std::optional<std::string> name_of_key(std::string_view key);
// Empty: no key has this name.
std::optional<std::string> key_of_name(std::string_view name);

}  // namespace tusk::virt
