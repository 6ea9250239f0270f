#include "core/policy.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <vector>

#include "core/core.h"

namespace tusk::core {
namespace {

using std::chrono::seconds;
using store::Policy;

enum class Kind { number, size, time };

// A hundred years: sums of times in nanoseconds must not overflow.
constexpr std::int64_t kMostSeconds = 100LL * 366 * 86'400;
// A file that is inline is read and written as one piece.
constexpr std::int64_t kMostInline = 8 << 20;
constexpr std::int64_t kMostBytes = std::int64_t{1} << 60;

struct Key {
  std::string_view name;
  Kind kind;
  std::int64_t most;
  void (*set)(Policy&, std::int64_t);
  std::int64_t (*get)(const Policy&);
};

constexpr std::array kKeys{
    Key{"versions", Kind::number, 1'000'000'000, [](Policy& p, std::int64_t n) { p.versions = n; },
        [](const Policy& p) { return p.versions; }},
    Key{"version_age", Kind::time, kMostSeconds,
        [](Policy& p, std::int64_t n) { p.version_age = seconds(n); },
        [](const Policy& p) -> std::int64_t { return p.version_age.count(); }},
    Key{"version_interval", Kind::time, kMostSeconds,
        [](Policy& p, std::int64_t n) { p.version_interval = seconds(n); },
        [](const Policy& p) -> std::int64_t { return p.version_interval.count(); }},
    Key{"trash", Kind::time, kMostSeconds, [](Policy& p, std::int64_t n) { p.trash = seconds(n); },
        [](const Policy& p) -> std::int64_t { return p.trash.count(); }},
    Key{"inline_below", Kind::size, kMostInline,
        [](Policy& p, std::int64_t n) { p.inline_below = static_cast<std::uint64_t>(n); },
        [](const Policy& p) { return static_cast<std::int64_t>(p.inline_below); }},
    Key{"external_above", Kind::size, kMostBytes,
        [](Policy& p, std::int64_t n) { p.external_above = static_cast<std::uint64_t>(n); },
        [](const Policy& p) { return static_cast<std::int64_t>(p.external_above); }},
};

const Key* find_key(std::string_view name) {
  const auto* key = std::ranges::find(kKeys, name, &Key::name);
  return key == kKeys.end() ? nullptr : key;
}

std::int64_t seconds_in(std::string_view unit) {
  if (unit.empty() || unit == "s") return 1;
  if (unit == "m") return 60;
  if (unit == "h") return 3600;
  if (unit == "d") return 86'400;
  if (unit == "w") return 7 * 86'400;
  return 0;
}

std::int64_t bytes_in(std::string_view unit) {
  if (unit.empty() || unit == "B") return 1;
  if (unit == "k" || unit == "K" || unit == "KiB") return 1 << 10;
  if (unit == "M" || unit == "MiB") return 1 << 20;
  if (unit == "G" || unit == "GiB") return 1 << 30;
  if (unit == "T" || unit == "TiB") return std::int64_t{1} << 40;
  return 0;
}

std::int64_t unit_of(Kind kind, std::string_view text) {
  if (kind == Kind::size) return bytes_in(text);
  if (kind == Kind::time) return seconds_in(text);
  return text.empty() ? 1 : 0;
}

Policy with(Policy policy, const store::PolicySettings& settings) {
  for (const auto& [name, value] : settings) {
    if (const Key* key = find_key(name))
      key->set(policy, std::clamp<std::int64_t>(value, 0, key->most));
  }
  return policy;
}

// Of what lies in a folder that is not in memory (a hard link's other name, a folder that is gone):
// history takes everything, and the store, which knows better, soon lets go of it.
const Policy& policy_of_unknown() {
  static const Policy kKeepAll{.version_interval = seconds(0)};
  return kKeepAll;
}

const Policy& policy_above(const Core& core, const Node& folder) {
  static const Policy kDefault;
  if (&folder == core.root) return kDefault;
  const Node* parent = core.table.find(folder.first.folder.uuid);
  return parent ? *parent->policy : policy_of_unknown();
}

void resolve(Core& core, Node& folder) {
  const Policy& inherited = policy_above(core, folder);
  folder.policy = &inherited;
  if (OwnPolicy* own = folder.own_policy.get()) {
    own->effective = with(inherited, own->settings);
    folder.policy = &own->effective;
  }
  folder.policy_epoch = core.policy_epoch;
}

std::string path_of(const Core& core, const Node& folder) {
  std::string path;
  for (const Node* at = &folder; at && at != core.root;
       at = core.table.find(at->first.folder.uuid)) {
    path.insert(0, "/" + at->first.name);
  }
  return path.empty() ? "/" : path;
}

// The nearest folder that sets the key; null: none.
const Node* setter_of(const Core& core, const Node& folder, std::string_view key) {
  const Node* at = &folder;
  while (at && !(at->own_policy && at->own_policy->settings.contains(key))) {
    at = at == core.root ? nullptr : core.table.find(at->first.folder.uuid);
  }
  return at;
}

}  // namespace

const Policy& policy_of(Core& core, Node& node) {
  Node* folder = node.is_folder ? &node : core.table.find(node.first.folder.uuid);
  if (!folder) return policy_of_unknown();
  // Folders are resolved from the top down, each once after a change.
  std::vector<Node*> stale;
  for (Node* at = folder; at && at->policy_epoch != core.policy_epoch;
       at = at == core.root ? nullptr : core.table.find(at->first.folder.uuid)) {
    stale.push_back(at);
  }
  for (; !stale.empty(); stale.pop_back()) resolve(core, *stale.back());
  return *folder->policy;
}

std::optional<std::uint64_t> external_above(Core& core, Node& file) {
  if (!core.has_objects || !file.is_regular()) return std::nullopt;
  return policy_of(core, file).external_above;
}

std::uint64_t inline_limit(Core& core, Node& file) {
  if (!file.is_regular()) return UINT64_MAX;
  return std::min(policy_of(core, file).inline_below,
                  external_above(core, file).value_or(UINT64_MAX));
}

void note_own_policy(Core& core, Node& folder, const store::PolicySettings& settings) {
  if (settings.empty()) return;
  folder.own_policy = std::make_unique<OwnPolicy>();
  folder.own_policy->settings = settings;
  core.policy_epoch++;
}

Attempt<std::int64_t> parse_setting(std::string_view name, ByteSpan value) {
  const Key* key = find_key(name);
  if (!key) return error(EINVAL);
  const std::string_view text(reinterpret_cast<const char*>(value.data()), value.size());
  std::int64_t number = 0;
  const auto [end, wrong] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (wrong != std::errc() || number < 0) return error(EINVAL);
  const std::int64_t unit =
      unit_of(key->kind, text.substr(static_cast<std::size_t>(end - text.data())));
  if (unit == 0 || number > key->most / unit) return error(EINVAL);
  return number * unit;
}

void change_setting(Core& core, Node& folder, std::string_view key,
                    std::optional<std::int64_t> value) {
  if (!folder.own_policy) folder.own_policy = std::make_unique<OwnPolicy>();
  store::PolicySettings& settings = folder.own_policy->settings;
  if (const auto known = settings.find(key); known != settings.end()) settings.erase(known);
  if (value) settings.emplace(key, *value);
  if (settings.empty()) folder.own_policy.reset();
  core.policy_epoch++;
}

Attempt<std::string> policy_value(Core& core, Node& folder, std::string_view name) {
  const Key* key = find_key(name);
  if (!key) return error(ENODATA);
  return std::to_string(key->get(policy_of(core, folder)));
}

std::string policy_list(Core& core, Node& folder) {
  const Policy& policy = policy_of(core, folder);
  std::string list;
  for (const Key& key : kKeys) {
    const Node* setter = setter_of(core, folder, key.name);
    list.append(key.name).append(" ").append(std::to_string(key.get(policy))).append(" ");
    list.append(setter ? path_of(core, *setter) : "default").push_back('\0');
  }
  return list;
}

}  // namespace tusk::core
