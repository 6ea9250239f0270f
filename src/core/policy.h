// The tree's policy of history, as extended attributes of its root: user.tusk.policy.KEY.
#pragma once

#include <string>
#include <string_view>

#include "core/parking.h"
#include "tuskfs/base/bytes.h"

namespace tusk::core {

struct Core;

inline constexpr std::string_view kPolicyPrefix = "user.tusk.policy.";

// A number, of seconds where it is a time; as set, with all defaults. ENODATA for an unknown key.
Attempt<std::string> policy_value(const Core& core, std::string_view key);
// A number, or a time as 90d, 12h, 30m, 10s, 2w. EINVAL for anything else and for an unknown key.
Attempt<void> set_policy(Core& core, std::string_view key, ByteSpan value);

}  // namespace tusk::core
