#include "cli/mount_options.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>

#include "cli/object_access.h"

namespace tusk::cli {
namespace {

constexpr std::array kForFuse = {"allow_other", "allow_root", "suid", "nosuid", "dev",    "nodev",
                                 "exec",        "noexec",     "sync", "async",  "dirsync"};
// default_permissions is always on; the times of reading are the core's business.
constexpr std::array kNothingToDo = {"default_permissions",
                                     "rw",
                                     "defaults",
                                     "atime",
                                     "relatime",
                                     "diratime",
                                     "auto",
                                     "noauto",
                                     "user",
                                     "users",
                                     "nouser",
                                     "owner",
                                     "group",
                                     "nofail",
                                     "_netdev",
                                     "silent",
                                     "loud",
                                     "nolazytime",
                                     "nomand"};
constexpr std::array kNothingToDoPrefixes = {
    "x-", "X-", "comment=", "user=", "uhelper=", "helper="};

bool needs_nothing(const std::string& option) {
  return std::ranges::find(kNothingToDo, option) != kNothingToDo.end() ||
         std::ranges::any_of(kNothingToDoPrefixes,
                             [&](const char* prefix) { return option.starts_with(prefix); });
}

// Options that take a value.
Result<bool> apply_valued(MountRequest& request, const std::string& key, const std::string& value) {
  if (key == "data_dir") {
    request.source.data_dir = value;
  } else if (key == "tenant") {
    request.tenant = value;
  } else if (key == "log_file") {
    request.log_file = value;
  } else if (key == "log_level") {
    TRY_ASSIGN(request.log_level, log::parse_level(value));
  } else if (key == "durability") {
    TRY_ASSIGN(request.durability, parse_durability(value));
  } else if (key == "db_timeout") {
    TRY_ASSIGN(request.db_timeout, parse_seconds(value));
  } else if (key == "delegation_idle") {
    TRY_ASSIGN(request.delegation_idle, parse_seconds(value));
  } else if (key == "objects") {
    TRY_ASSIGN(request.objects.location, parse_location(value));
  } else if (key == "at") {
    request.at = value;
  } else if (key == "encrypt_objects") {
    TRY_ASSIGN(request.objects.access.keyfile, parse_keyfile(value));
  } else if (key == "object_cache") {
    TRY(parse_object_cache(request.objects.access, value));
  } else if (key == "fsname") {
    request.fsname = value;
  } else if (key == "subtype" || key == "max_read") {
    request.fuse_options.push_back(key + "=" + value);
  } else {
    return false;
  }
  if (value.empty()) return fail(EINVAL, fmt::format("mount option '{}' needs a value", key));
  return true;
}

bool apply_flag(MountRequest& request, const std::string& option) {
  if (option == "migrate") {
    request.migrate = true;
  } else if (option == "sidecar") {
    request.sidecar = true;
  } else if (option == "read_only_standby") {
    request.read_only_standby = true;
  } else if (option == "ro") {
    request.read_only = true;
    request.fuse_options.push_back(option);
  } else if (option == "noatime" || option == "nodiratime") {
    request.noatime = request.noatime || option == "noatime";
    if (option == "noatime") request.fuse_options.push_back(option);
  } else if (std::ranges::find(kForFuse, option) != kForFuse.end()) {
    request.fuse_options.push_back(option);
  } else {
    return false;
  }
  return true;
}

}  // namespace

std::vector<std::string> split_options(std::string_view list) {
  std::vector<std::string> options(1);
  for (std::size_t i = 0; i < list.size(); i++) {
    if (list[i] == '\\' && i + 1 < list.size() && (list[i + 1] == ',' || list[i + 1] == '\\')) {
      options.back() += list[++i];
    } else if (list[i] == ',') {
      options.emplace_back();
    } else {
      options.back() += list[i];
    }
  }
  std::erase(options, "");
  return options;
}

Result<void> apply_option(MountRequest& request, const std::string& option) {
  if (needs_nothing(option) || apply_flag(request, option)) return {};
  const std::size_t equals = option.find('=');
  if (equals != std::string::npos) {
    TRY_ASSIGN(const bool known,
               apply_valued(request, option.substr(0, equals), option.substr(equals + 1)));
    if (known) return {};
  }
  return fail(EINVAL, fmt::format("unknown mount option '{}'", option.substr(0, equals)));
}

Result<core::Durability> parse_durability(std::string_view name) {
  if (name == "fsync") return core::Durability::fsync;
  if (name == "close") return core::Durability::close;
  if (name == "none") return core::Durability::none;
  return fail(EINVAL, fmt::format("unknown durability '{}'", name), "fsync, close or none");
}

Result<std::chrono::seconds> parse_seconds(std::string_view text) {
  constexpr int kMost = 7 * 24 * 3600;
  if (text.ends_with('s')) text.remove_suffix(1);
  int seconds = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (failed == std::errc() && end == text.data() + text.size() && seconds > 0 && seconds <= kMost)
    return std::chrono::seconds(seconds);
  return fail(EINVAL, fmt::format("'{}' is no time in seconds", text), "a whole number from 1 on");
}

}  // namespace tusk::cli
