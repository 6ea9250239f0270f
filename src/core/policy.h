// The tree's policy of history and of where contents are, as extended attributes of its root:
// user.tusk.policy.KEY.
#pragma once

#include <string>
#include <string_view>

#include "core/parking.h"
#include "tuskfs/base/bytes.h"

namespace tusk::core {

struct Core;

inline constexpr std::string_view kPolicyPrefix = "user.tusk.policy.";

// A number, of seconds where it is a time, of bytes where it is a size; as set, with all defaults.
// ENODATA for an unknown key.
Attempt<std::string> policy_value(const Core& core, std::string_view key);
// A number, a time as 90d, 12h, 30m, 10s, 2w, a size as 512K, 10M, 2G. EINVAL for anything else and
// for an unknown key.
Attempt<void> set_policy(Core& core, std::string_view key, ByteSpan value);

}  // namespace tusk::core
