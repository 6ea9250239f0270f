// Questions to a mounted filesystem, which may hang, and answers only to the user who mounted it.
#pragma once

#include <chrono>
#include <functional>
#include <string>

#include "cli/mount_table.h"
#include "tuskfs/base/result.h"

namespace tusk::cli {

inline constexpr const char* kStatusXattr = "user.tusk.status";

// Runs `question` in a child with the identity of the mount's owner (where we may take it on).
// ETIMEDOUT when it takes longer; zero: as long as it takes.
Result<std::string> ask_as_owner(const MountEntry& mount, std::chrono::milliseconds timeout,
                                 const std::function<Result<std::string>()>& question);

// What the driver says of itself, as JSON. ENOTCONN when it has died.
Result<std::string> status_text_of(const MountEntry& mount, std::chrono::milliseconds timeout);

}  // namespace tusk::cli
