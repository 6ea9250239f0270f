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

// The same where such keys are shown too, as %@sha256-HEX of their bytes: no key is spelled so.
std::string shown_name_of_key(std::string_view key);
// The HEX of such a name; empty: it is another one.
std::optional<std::string> hash_in_name(std::string_view name);

}  // namespace tusk::virt
