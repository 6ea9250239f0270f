// What is written to files of keyed trees, taken apart.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "tuskfs/vfs/vfs.h"

namespace tusk::virt {

// Without what is blank around it.
std::string_view trimmed(std::string_view text);
std::optional<std::int64_t> integer_in(std::string_view text);
// A number as SQL reads it too: digits with a point or without, a sign before them.
std::optional<double> number_in(std::string_view text);

// Pairs of a name and a value, one a line or more; of two of the same name the last counts. EINVAL
// for other names, and for none. The values in the order of `names`, empty where it is not said.
vfs::Outcome<std::vector<std::string>> pairs_in(std::string_view text,
                                                std::span<const std::string_view> names);

// -1 (never), 0 (now) or seconds until a key ends. EINVAL, ERANGE beyond 100 years.
vfs::Outcome<std::int64_t> ttl_in(std::string_view text);

}  // namespace tusk::virt
