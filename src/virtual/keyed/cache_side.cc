// cache/.ttl/KEY, .stats, .config and .control: no key has such a name, as its dot would be %2E.
#include <array>
#include <cerrno>

#include "virtual/keyed/places.h"
#include "virtual/keyed/texts.h"

namespace tusk::virt {
namespace {

using store::KeyedQuestion;
using vfs::Outcome;

Outcome<KeyedQuestion> config_in(std::string_view text) {
  static constexpr std::array<std::string_view, 3> kNames = {"default_ttl", "max_value",
                                                             "max_bytes"};
  auto values = pairs_in(text, kNames);
  if (!values) return std::unexpected(values.error());
  for (std::size_t i = 0; i < kNames.size(); i++) {
    const std::string& value = (*values)[i];
    if (value.empty()) continue;
    const bool is_positive =
        i == 0 ? number_in(value).value_or(0) > 0 : integer_in(value).value_or(0) > 0;
    if (!is_positive) return vfs::error(EINVAL);
  }
  return KeyedQuestion{"keyed_config_write", std::move(*values)};
}

// flush, flush PREFIX*, sweep.
Outcome<KeyedQuestion> command_in(std::string_view text) {
  constexpr std::string_view kFlush = "flush ";
  const std::string_view command = trimmed(text);
  if (command == "sweep") return KeyedQuestion{"keyed_sweep"};
  if (command == "flush") return KeyedQuestion{"keyed_flush", {""}};
  if (!command.starts_with(kFlush) || !command.ends_with('*')) return vfs::error(EINVAL);
  return KeyedQuestion{"keyed_flush", {std::string(trimmed(command.substr(kFlush.size())))}};
}

}  // namespace

Place ttl_folder(std::string list, std::string read, std::string write,
                 std::function<void(const Keys&)> written) {
  Place key{.mode = S_IFREG | 0644, .read = std::move(read)};
  key.write = [write = std::move(write)](std::string_view text) -> Outcome<KeyedQuestion> {
    const auto seconds = ttl_in(text);
    if (!seconds) return std::unexpected(seconds.error());
    return KeyedQuestion{write, {std::to_string(*seconds)}};
  };
  key.written = std::move(written);
  Place folder{.name = ".ttl", .list = std::move(list)};
  folder.places.push_back(std::move(key));
  return folder;
}

Place cache_side(CacheHooks hooks) {
  Place stats{.name = ".stats", .mode = S_IFREG | 0444, .read = "keyed_stats_read"};
  stats.first_lines = hooks.counts;
  Place config{.name = ".config", .mode = S_IFREG | 0644, .read = "keyed_config_read"};
  config.write = config_in;
  config.written = [told = hooks.settings_changed](const Keys&) { told(); };
  Place control{.name = ".control", .mode = S_IFREG | 0200};
  control.write = command_in;
  control.writing = Writing::alone;
  control.written = [told = hooks.all_changed](const Keys&) { told(); };
  Place ttl = ttl_folder("keyed_ttl_list", "keyed_ttl_read", "keyed_ttl_write",
                         [told = hooks.key_changed](const Keys& keys) { told(keys[0]); });
  ttl.places[0].find_by_hash = "keyed_ttl_find_by_hash";
  Place folder{.name = "cache"};
  folder.places.push_back(std::move(ttl));
  folder.places.push_back(std::move(stats));
  folder.places.push_back(std::move(config));
  folder.places.push_back(std::move(control));
  return folder;
}

}  // namespace tusk::virt
