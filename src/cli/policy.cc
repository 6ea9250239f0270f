// The policy of a mounted tree, through the extended attributes of its root.
#include <fmt/format.h>
#include <sys/xattr.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>

#include "cli/mount_table.h"
#include "cli/report.h"
#include "cli/verbs.h"

namespace tusk::cli {
namespace {

constexpr const char* kKeys[] = {"versions", "version_age",  "version_interval",
                                 "trash",    "inline_below", "external_above"};

std::string attribute(const std::string& key) { return "user.tusk.policy." + key; }

std::string with_unit(const std::string& key, std::int64_t value) {
  if (key == "versions") return std::to_string(value);
  if (key == "inline_below" || key == "external_above") {
    if (value > 0 && value % (1 << 20) == 0) return fmt::format("{}M", value >> 20);
    return std::to_string(value);
  }
  if (value > 0 && value % 86'400 == 0) return fmt::format("{}d", value / 86'400);
  return fmt::format("{}s", value);
}

Result<void> set(const std::string& root, const std::string& setting) {
  const std::size_t equals = setting.find('=');
  const std::string key = setting.substr(0, equals);
  const std::string value = equals == std::string::npos ? "" : setting.substr(equals + 1);
  if (::setxattr(root.c_str(), attribute(key).c_str(), value.data(), value.size(), 0) == 0)
    return {};
  if (errno == EINVAL) {
    return fail(EINVAL, fmt::format("'{}' is no setting", setting),
                "versions=5, version_age=90d, version_interval=10s, trash=30d, inline_below=1M (at "
                "most 8M) or external_above=10M");
  }
  return fail(errno, fmt::format("cannot set {}: {}", key, std::strerror(errno)),
              errno == EPERM ? "only root and the owner of the tree's root may" : "");
}

Result<void> show(const std::string& root, bool json) {
  nlohmann::ordered_json all;
  for (const std::string key : kKeys) {
    std::array<char, 64> text{};
    const ssize_t n =
        ::getxattr(root.c_str(), attribute(key).c_str(), text.data(), text.size() - 1);
    if (n < 0) return fail(errno, fmt::format("cannot ask {}: {}", root, std::strerror(errno)));
    const std::int64_t value = std::atoll(text.data());
    all[key] = value;
    if (!json) fmt::print("{:<17} {}\n", key, with_unit(key, value));
  }
  if (json) fmt::print("{}\n", all.dump(2));
  return {};
}

Result<void> perform(const PolicyRequest& request) {
  TRY_ASSIGN(const MountEntry mount, find_mount(request.path));
  if (request.settings.empty()) return show(mount.target, request.json);
  for (const std::string& setting : request.settings) TRY(set(mount.target, setting));
  return {};
}

}  // namespace

int policy(const PolicyRequest& request) {
  const auto done = perform(request);
  return done ? kDone : report(done.error());
}

}  // namespace tusk::cli
