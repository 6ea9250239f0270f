// What holds in each folder: what it sets itself, else what the nearest folder above it sets, else
// the default. Set as extended attributes user.tusk.policy.KEY, which a folder keeps as it keeps
// others; the root's are kept with the tree.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/node.h"
#include "core/parking.h"
#include "tuskfs/base/bytes.h"

namespace tusk::core {

struct Core;

inline constexpr std::string_view kPolicyPrefix = "user.tusk.policy.";
// Of a folder: every key with its value and where that comes from, as "KEY VALUE FROM" and a NUL;
// FROM is "default" or the path of a folder, from the root of the tree.
inline constexpr std::string_view kPolicyList = "user.tusk.policy";

// Of a folder, or of the folder of a file's first name. Asks nothing of the store. Valid until the
// tree changes.
const store::Policy& policy_of(Core& core, Node& node);
// Size above which a file's content is an object; nothing where there is no place for objects.
std::optional<std::uint64_t> external_above(Core& core, Node& file);
// Size up to which it is inline.
std::uint64_t inline_limit(Core& core, Node& file);
// What the folder's row says.
void note_own_policy(Core& core, Node& folder, const store::PolicySettings& settings);

// The number that `value` means for the key: a number, a size as 10M, or a time as 90d. EINVAL for
// anything else and for an unknown key.
Attempt<std::int64_t> parse_setting(std::string_view key, ByteSpan value);
// Empty: the folder sets it no longer.
void change_setting(Core& core, Node& folder, std::string_view key,
                    std::optional<std::int64_t> value);

// What holds, as a number; ENODATA for an unknown key.
Attempt<std::string> policy_value(Core& core, Node& folder, std::string_view key);
std::string policy_list(Core& core, Node& folder);

}  // namespace tusk::core
