#include "core/policy.h"

#include <charconv>

#include "core/core.h"

namespace tusk::core {
namespace {

using std::chrono::seconds;

// Sums of them must not overflow: a thousand years.
constexpr std::int64_t kMost = 1000LL * 366 * 86'400;

seconds* time_of(store::Policy& policy, std::string_view key) {
  if (key == "version_age") return &policy.version_age;
  if (key == "version_interval") return &policy.version_interval;
  if (key == "trash") return &policy.trash;
  return nullptr;
}

std::int64_t unit_of(std::string_view suffix) {
  if (suffix.empty() || suffix == "s") return 1;
  if (suffix == "m") return 60;
  if (suffix == "h") return 3600;
  if (suffix == "d") return 86'400;
  if (suffix == "w") return 7 * 86'400;
  return 0;
}

}  // namespace

Attempt<std::string> policy_value(const Core& core, std::string_view key) {
  if (key == "versions") return std::to_string(core.policy.versions);
  store::Policy policy = core.policy;
  const seconds* time = time_of(policy, key);
  if (!time) return error(ENODATA);
  return std::to_string(time->count());
}

Attempt<void> set_policy(Core& core, std::string_view key, ByteSpan value) {
  const std::string_view text(reinterpret_cast<const char*>(value.data()), value.size());
  std::int64_t number = 0;
  const auto [end, wrong] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (wrong != std::errc() || number < 0 || number > kMost) return error(EINVAL);
  const std::string_view suffix(end, static_cast<std::size_t>(text.data() + text.size() - end));
  if (key == "versions") {
    if (!suffix.empty()) return error(EINVAL);
    core.policy.versions = number;
  } else {
    seconds* time = time_of(core.policy, key);
    const std::int64_t unit = unit_of(suffix);
    if (!time || unit == 0 || number > kMost / unit) return error(EINVAL);
    *time = seconds(number * unit);
  }
  core.policy_changed = true;
  core.txg.mark(*core.root, kDirtyRow);
  return {};
}

}  // namespace tusk::core
