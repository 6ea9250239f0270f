#include "cli/past.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "cli/asking.h"
#include "cli/mount_table.h"
#include "tuskfs/base/fd.h"
#include "tuskfs/base/times.h"

namespace tusk::cli {
namespace {

namespace fs = std::filesystem;

constexpr auto kAnswerWithin = std::chrono::seconds(10);

Result<void> commit_everything(const std::string& root) {
  const Fd fd(::open(root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd && ::fsync(fd.get()) == 0) return {};
  return fail(errno, fmt::format("cannot commit what {} holds: {}", root, std::strerror(errno)));
}

Result<Source> source_of(const nlohmann::json& status, const std::string& database) {
  if (!database.empty()) return Source{.database = database, .data_dir = {}};
  const std::string data_dir = status.value("data_dir", "");
  if (!data_dir.empty()) return Source{.database = {}, .data_dir = data_dir};
  return fail(EINVAL, "the mount's database is not the embedded one",
              "say how to reach it: --db CONNINFO");
}

}  // namespace

WallTime present() {
  timespec t;
  ::clock_gettime(CLOCK_REALTIME, &t);
  return {t.tv_sec * 1'000'000'000 + t.tv_nsec};
}

Result<MountedPath> mounted_path(const std::string& given, const std::string& database) {
  std::error_code failed;
  fs::path settled = fs::weakly_canonical(fs::absolute(given).parent_path(), failed);
  const fs::path name = fs::path(given).lexically_normal().filename();
  const bool is_folder = name.empty() || name == "." || name == "..";
  settled = is_folder ? fs::weakly_canonical(fs::absolute(given), failed) : settled / name;
  if (failed) return fail(failed.value(), fmt::format("cannot look for {}", given));
  std::string path = settled.string();
  while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  TRY_ASSIGN(const MountEntry mount, mount_holding(path));
  TRY_ASSIGN(const std::string text, status_text_of(mount, kAnswerWithin));
  const auto status = nlohmann::json::parse(text, nullptr, false);
  if (!status.is_object()) return fail(EIO, fmt::format("{} cannot be asked", mount.target));
  MountedPath found{.root = mount.target, .tenant = status.value("tenant", "default")};
  TRY_ASSIGN(found.source, source_of(status, database));
  TRY(commit_everything(mount.target));
  found.path = path.substr(mount.target == "/" ? 0 : mount.target.size());
  if (found.path.empty()) found.path.push_back('/');
  return found;
}

Result<Past> look_back(const PastRequest& request) {
  TRY_ASSIGN(const MountedPath mounted, mounted_path(request.path, request.database));
  Past past{.root = mounted.root, .path = mounted.path};
  TRY_ASSIGN(past.database, open_database(mounted.source));
  TRY_ASSIGN(past.history,
             store::History::open(past.database.conninfo, mounted.tenant, request.objects));
  return past;
}

Result<PastPlace> find_place(const Past& past, const PastRequest& request) {
  if (!request.at.empty()) {
    TRY_ASSIGN(const WallTime at, parse_time(request.at));
    TRY_ASSIGN(const auto entry, past.history->resolve(past.path, at));
    if (entry) return PastPlace{*entry, at};
    return fail(ENOENT, fmt::format("there was no {} at {}", past.path, time_text(at)));
  }
  const WallTime now = present();
  TRY_ASSIGN(const auto entry, past.history->resolve(past.path, now));
  if (entry) return PastPlace{*entry, now};
  TRY_ASSIGN(const auto seen, past.history->last_seen(past.path));
  if (seen) {
    TRY_ASSIGN(const auto then, past.history->resolve(past.path, *seen));
    if (then) return PastPlace{*then, *seen};
  }
  return fail(ENOENT, fmt::format("nothing is known of {}", past.path),
              "tuskfs trash lists what was deleted");
}

Result<store::PastVersion> find_version(const Past& past, FileId file, WallTime at,
                                        Version wanted) {
  TRY_ASSIGN(const auto versions, past.history->versions(file));
  if (versions.empty()) return fail(ENOENT, "the file has just been purged");
  const auto found = std::ranges::find_if(versions, [&](const store::PastVersion& v) {
    return wanted >= 0 ? v.version == wanted : v.since.ns <= at.ns;
  });
  if (found != versions.end()) return *found;
  if (wanted >= 0) {
    return fail(ENOENT, fmt::format("there is no version {}", wanted), "tuskfs log lists them");
  }
  return versions.back();  // older ones are past their time
}

}  // namespace tusk::cli
