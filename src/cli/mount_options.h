// The options of `mount -o`: TuskFS's own, FUSE's, and what mount(8) and fstab add.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cli/requests.h"
#include "tuskfs/base/result.h"

namespace tusk::cli {

// Splits at commas; "\," stands for one.
std::vector<std::string> split_options(std::string_view list);
// EINVAL with the option's name when it is unknown or its value is wrong.
Result<void> apply_option(MountRequest& request, const std::string& option);

Result<core::Durability> parse_durability(std::string_view name);
Result<std::chrono::seconds> parse_seconds(std::string_view text);

}  // namespace tusk::cli
