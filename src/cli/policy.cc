// The policy of a folder in a mounted tree, through its extended attributes.
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "cli/mount_table.h"
#include "cli/report.h"
#include "cli/verbs.h"

namespace tusk::cli {
namespace {

constexpr std::size_t kLongestList = 64 << 10;
constexpr const char* kExample =
    "versions=5, version_age=90d, version_interval=10s, trash=30d, inline_below=1M (at most 8M) or "
    "external_above=10M";

std::string attribute(const std::string& key) { return "user.tusk.policy." + key; }

std::string with_unit(std::string_view key, std::int64_t value) {
  if (key == "versions") return std::to_string(value);
  if (key == "inline_below" || key == "external_above") {
    if (value > 0 && value % (1 << 20) == 0) return fmt::format("{}M", value >> 20);
    return fmt::format("{}", value);
  }
  if (value > 0 && value % 86'400 == 0) return fmt::format("{}d", value / 86'400);
  return fmt::format("{}s", value);
}

Error refusal(const std::string& what, const std::string& folder) {
  if (errno == EPERM || errno == EACCES)
    return {errno, what + ": not permitted", "only root and the owner of the folder may"};
  if (errno == EOPNOTSUPP) return {errno, folder + " is not a folder", "policies are folders'"};
  return {errno, fmt::format("{}: {}", what, std::strerror(errno)), {}};
}

Result<void> set(const std::string& folder, const std::string& setting) {
  const std::size_t equals = setting.find('=');
  const std::string key = setting.substr(0, equals);
  const std::string value = equals == std::string::npos ? "" : setting.substr(equals + 1);
  if (::setxattr(folder.c_str(), attribute(key).c_str(), value.data(), value.size(), 0) == 0)
    return {};
  if (errno == EINVAL) return fail(EINVAL, fmt::format("'{}' is no setting", setting), kExample);
  return std::unexpected(refusal("cannot set " + key, folder));
}

Result<void> unset(const std::string& folder, const std::string& key) {
  if (::removexattr(folder.c_str(), attribute(key).c_str()) == 0) return {};
  if (errno == ENODATA) return fail(ENODATA, fmt::format("{} does not set '{}'", folder, key));
  return std::unexpected(refusal("cannot unset " + key, folder));
}

// "KEY VALUE FROM", each ended by a NUL.
Result<void> show(const std::string& folder, bool json) {
  std::string list(kLongestList, '\0');
  const ssize_t n = ::getxattr(folder.c_str(), "user.tusk.policy", list.data(), list.size());
  if (n < 0) return fail(errno, fmt::format("cannot ask {}: {}", folder, std::strerror(errno)));
  list.resize(static_cast<std::size_t>(n));
  nlohmann::ordered_json all;
  for (std::size_t at = 0; at < list.size();) {
    const std::string line(list.c_str() + at);
    at += line.size() + 1;
    const std::size_t space = line.find(' '), second = line.find(' ', space + 1);
    const std::string key = line.substr(0, space), from = line.substr(second + 1);
    const std::int64_t value = std::stoll(line.substr(space + 1));
    all[key] = {{"value", value}, {"from", from}};
    if (!json) fmt::print("{:<17} {:>10}  {}\n", key, with_unit(key, value), from);
  }
  if (json) fmt::print("{}\n", all.dump(2));
  return {};
}

// Of a file, the folder it is in.
std::string folder_of(const std::string& path) {
  struct stat st {};
  if (::stat(path.c_str(), &st) != 0 || S_ISDIR(st.st_mode)) return path;
  return std::filesystem::path(path).parent_path().string();
}

Result<void> perform(const PolicyRequest& request) {
  const std::string path = std::filesystem::weakly_canonical(request.path).string();
  TRY(mount_holding(path));
  if (request.action == PolicyAction::show) return show(folder_of(path), request.json);
  for (const std::string& setting : request.settings)
    TRY(request.action == PolicyAction::set ? set(path, setting) : unset(path, setting));
  return {};
}

}  // namespace

int policy(const PolicyRequest& request) {
  const auto done = perform(request);
  if (done) return kDone;
  report(done.error());
  return done.error().code == EINVAL ? kUsage : kFailed;
}

}  // namespace tusk::cli
