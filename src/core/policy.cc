#include "core/policy.h"

#include <charconv>
#include <optional>

#include "core/core.h"

namespace tusk::core {
namespace {

using std::chrono::seconds;

// Sums of times must not overflow: a thousand years.
constexpr std::int64_t kMostSeconds = 1000LL * 366 * 86'400;
// An inline content is read and written as a whole.
constexpr std::int64_t kMostInline = 8 << 20;
constexpr std::int64_t kMostExternal = std::int64_t{1} << 60;

using Units = std::int64_t (*)(std::string_view suffix);  // 0: none of them

std::int64_t no_unit(std::string_view suffix) { return suffix.empty() ? 1 : 0; }

std::int64_t unit_of_time(std::string_view suffix) {
  if (suffix.empty() || suffix == "s") return 1;
  if (suffix == "m") return 60;
  if (suffix == "h") return 3600;
  if (suffix == "d") return 86'400;
  if (suffix == "w") return 7 * 86'400;
  return 0;
}

std::int64_t unit_of_size(std::string_view suffix) {
  if (suffix.empty()) return 1;
  if (suffix == "K") return 1 << 10;
  if (suffix == "M") return 1 << 20;
  if (suffix == "G") return 1 << 30;
  if (suffix == "T") return std::int64_t{1} << 40;
  return 0;
}

struct Key {
  std::string_view name;
  Units unit;
  std::int64_t most;
  std::int64_t (*get)(const store::Policy&);
  void (*set)(store::Policy&, std::int64_t);
};

constexpr Key kKeys[] = {
    {"versions", no_unit, INT64_MAX, [](const store::Policy& p) { return p.versions; },
     [](store::Policy& p, std::int64_t n) { p.versions = n; }},
    {"version_age", unit_of_time, kMostSeconds,
     [](const store::Policy& p) { return std::int64_t{p.version_age.count()}; },
     [](store::Policy& p, std::int64_t n) { p.version_age = seconds(n); }},
    {"version_interval", unit_of_time, kMostSeconds,
     [](const store::Policy& p) { return std::int64_t{p.version_interval.count()}; },
     [](store::Policy& p, std::int64_t n) { p.version_interval = seconds(n); }},
    {"trash", unit_of_time, kMostSeconds,
     [](const store::Policy& p) { return std::int64_t{p.trash.count()}; },
     [](store::Policy& p, std::int64_t n) { p.trash = seconds(n); }},
    {"inline_below", unit_of_size, kMostInline,
     [](const store::Policy& p) { return static_cast<std::int64_t>(p.inline_below); },
     [](store::Policy& p, std::int64_t n) { p.inline_below = static_cast<std::uint64_t>(n); }},
    {"external_above", unit_of_size, kMostExternal,
     [](const store::Policy& p) { return static_cast<std::int64_t>(p.external_above); },
     [](store::Policy& p, std::int64_t n) { p.external_above = static_cast<std::uint64_t>(n); }},
};

const Key* find(std::string_view name) {
  for (const Key& key : kKeys) {
    if (key.name == name) return &key;
  }
  return nullptr;
}

std::optional<std::int64_t> parse(const Key& key, std::string_view text) {
  std::int64_t number = 0;
  const auto [end, wrong] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (wrong != std::errc() || number < 0) return std::nullopt;
  const std::int64_t unit = key.unit(text.substr(static_cast<std::size_t>(end - text.data())));
  if (unit == 0 || number > key.most / unit) return std::nullopt;
  return number * unit;
}

}  // namespace

Attempt<std::string> policy_value(const Core& core, std::string_view name) {
  const Key* key = find(name);
  if (!key) return error(ENODATA);
  return std::to_string(key->get(core.policy));
}

Attempt<void> set_policy(Core& core, std::string_view name, ByteSpan value) {
  const Key* key = find(name);
  if (!key) return error(EINVAL);
  const auto number =
      parse(*key, {reinterpret_cast<const char*>(value.data()), value.size()});
  if (!number) return error(EINVAL);
  key->set(core.policy, *number);
  core.policy_changed = true;
  core.txg.mark(*core.root, kDirtyRow);
  return {};
}

}  // namespace tusk::core
