#include <fmt/format.h>
#include <chrono>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>

#include "cli/past.h"
#include "cli/report.h"
#include "cli/secrets.h"
#include "cli/verbs.h"
#include "tuskfs/base/times.h"

namespace tusk::cli {
namespace {

using Json = nlohmann::ordered_json;

int finish(const Result<void>& done, const PastRequest& request) {
  return done ? kDone : report(without_password(done.error(), request.database));
}

void print(const Json& rows) {
  fmt::print("{}\n", rows.dump(2, ' ', false, Json::error_handler_t::replace));
}

Result<void> write_out(ByteSpan bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(STDOUT_FILENO, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail(errno, fmt::format("cannot write: {}", std::strerror(errno)));
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
  return {};
}

Result<PastPlace> find_file(const Past& past, const PastRequest& request) {
  TRY_ASSIGN(PastPlace place, find_place(past, request));
  if (!place.entry.is_folder) return place;
  return fail(EISDIR, fmt::format("{} is a folder", past.path));
}

Result<void> show_log(const PastRequest& request) {
  TRY_ASSIGN(const Past past, look_back(request));
  TRY_ASSIGN(const PastPlace place, find_file(past, request));
  TRY_ASSIGN(const auto versions, past.history->versions({place.entry.id}));
  Json rows = Json::array();
  for (const store::PastVersion& v : versions) {
    rows.push_back({{"version", v.version},
                    {"since", time_text(v.since)},
                    {"until", v.until ? Json(time_text(*v.until)) : Json()},
                    {"size", v.size},
                    {"uid", v.uid},
                    {"mtime", time_text(v.mtime)}});
  }
  if (request.json) {
    print(rows);
    return {};
  }
  fmt::print("{:>8}  {:24}  {:24}  {:>14}  {:>6}\n", "VERSION", "SINCE", "UNTIL", "SIZE", "UID");
  for (const store::PastVersion& v : versions) {
    fmt::print("{:>8}  {:24}  {:24}  {:>14}  {:>6}\n", v.version, time_text(v.since),
               v.until ? time_text(*v.until) : "present", v.size, v.uid);
  }
  return {};
}

Result<void> show_content(const PastRequest& request) {
  TRY_ASSIGN(const Past past, look_back(request));
  TRY_ASSIGN(const PastPlace place, find_file(past, request));
  const FileId file{place.entry.id};
  TRY_ASSIGN(const auto version, find_version(past, file, place.at, request.version));
  return past.history->read(file, version, write_out);
}

Result<void> show_trash(const PastRequest& request) {
  TRY_ASSIGN(const Past past, look_back(request));
  TRY_ASSIGN(const auto entries, past.history->trash());
  if (!request.json) {
    fmt::print("{:24}  {:>6}  {:>14}  {}\n", "DELETED", "BY", "SIZE", "PATH");
    for (const store::TrashEntry& e : entries) {
      fmt::print("{:24}  {:>6}  {:>14}  {}{}\n", time_text(e.deleted_at), e.deleted_by, e.size,
                 e.path, e.is_folder ? "/" : "");
    }
    return {};
  }
  Json rows = Json::array();
  for (const store::TrashEntry& e : entries) {
    rows.push_back({{"path", e.path},
                    {"folder", e.is_folder},
                    {"size", e.size},
                    {"deleted_at", time_text(e.deleted_at)},
                    {"deleted_by", e.deleted_by}});
  }
  print(rows);
  return {};
}

Result<void> collect(const PastRequest& request) {
  TRY_ASSIGN(const Past past, look_back(request));
  TRY_ASSIGN(const auto gone, past.history->collect_garbage(request.object_grace));
  if (request.json) {
    print({{"files", gone.files},
           {"folders", gone.folders},
           {"versions", gone.versions},
           {"objects", gone.objects}});
  } else {
    fmt::print("{} files, {} folders, {} versions and {} objects were past their time and are gone\n",
               gone.files, gone.folders, gone.versions, gone.objects);
  }
  return {};
}

Result<void> list_snapshots(const Past& past, bool json) {
  TRY_ASSIGN(const auto snapshots, past.history->snapshots());
  Json rows = Json::array();
  for (const store::Snapshot& s : snapshots) {
    rows.push_back({{"name", s.name}, {"taken_at", time_text(s.taken_at)}});
    if (!json) fmt::print("{:24}  {}\n", time_text(s.taken_at), s.name);
  }
  if (json) print(rows);
  return {};
}

Result<WallTime> moment_of(const Past& past, const std::string& snapshot) {
  TRY_ASSIGN(const auto snapshots, past.history->snapshots());
  for (const store::Snapshot& each : snapshots)
    if (each.name == snapshot) return each.taken_at;
  return fail(ENOENT, "there is no snapshot '" + snapshot + "'", "see tuskfs snapshot list");
}

// How many differences there are.
Result<std::size_t> show_differences(const SnapshotRequest& request) {
  TRY_ASSIGN(const Past past, look_back(request.past));
  TRY_ASSIGN(const WallTime from, moment_of(past, request.name));
  WallTime to{std::chrono::duration_cast<std::chrono::nanoseconds>(
                  std::chrono::system_clock::now().time_since_epoch())
                  .count()};
  if (!request.other.empty()) {
    TRY_ASSIGN(to, moment_of(past, request.other));
  }
  TRY_ASSIGN(const auto folder, past.history->resolve(past.path, from));
  if (!folder || !folder->is_folder)
    return fail(ENOTDIR, past.path + " was no folder then", "name a folder of the snapshot");
  TRY_ASSIGN(const auto found, past.history->differences({folder->id}, from, to));
  const std::string above = past.path == "/" ? "" : past.path;
  Json rows = Json::array();
  for (const store::Difference& d : found) {
    const std::string path = above + d.path, former = d.former.empty() ? "" : above + d.former;
    Json row{{"kind", d.kind}, {"path", path}, {"is_folder", d.is_folder}};
    if (!former.empty()) row["from"] = former;
    rows.push_back(row);
    if (!request.past.json)
      fmt::print("{:<8} {}{}\n", d.kind, former.empty() ? "" : former + " -> ", path);
  }
  if (request.past.json) print(rows);
  return found.size();
}

Result<void> show_space(const PastRequest& request) {
  TRY_ASSIGN(const Past past, look_back(request));
  TRY_ASSIGN(const PastPlace place, find_place(past, request));
  if (!place.entry.is_folder) return fail(ENOTDIR, past.path + " is no folder", "see tuskfs log");
  TRY_ASSIGN(const store::Space space, past.history->space({place.entry.id}));
  const std::pair<const char*, const store::Space::Part&> parts[] = {
      {"db", space.inside},
      {"external", space.external},
      {"versions", space.versions},
      {"trash", space.trash}};
  Json all;
  for (const auto& [name, part] : parts) {
    all[name] = {{"files", part.files}, {"bytes", part.bytes}};
    if (!request.json) fmt::print("{:<9} {:>9} {:>16} bytes\n", name, part.files, part.bytes);
  }
  if (request.json) print(all);
  return {};
}

// Through the mount, which then keeps what is content now.
Result<void> take_snapshot(const Past& past, const std::string& name) {
  const bool is_name = !name.empty() && name != "." && name != ".." && name.size() <= 255 &&
                       name.find('/') == std::string::npos;
  if (!is_name) {
    return fail(EINVAL, "'" + name + "' is no name for a snapshot",
                "1 to 255 bytes, without a slash");
  }
  const std::string path = past.root + "/.tusk/snapshots/" + name;
  if (::mkdir(path.c_str(), 0755) == 0) return {};
  if (errno == EEXIST) return fail(EEXIST, "there is a snapshot '" + name + "' already");
  return fail(errno, fmt::format("cannot take a snapshot: {}", std::strerror(errno)));
}

Result<void> act(const SnapshotRequest& request) {
  TRY_ASSIGN(const Past past, look_back(request.past));
  switch (request.action) {
    case SnapshotAction::create:
      return take_snapshot(past, request.name);
    case SnapshotAction::remove:
      return past.history->remove_snapshot(request.name);
    case SnapshotAction::diff:
    case SnapshotAction::list:
      break;
  }
  return list_snapshots(past, request.past.json);
}

}  // namespace

int log_versions(const PastRequest& request) { return finish(show_log(request), request); }
int cat(const PastRequest& request) { return finish(show_content(request), request); }
int trash(const PastRequest& request) { return finish(show_trash(request), request); }
int gc(const PastRequest& request) { return finish(collect(request), request); }
int du(const PastRequest& request) { return finish(show_space(request), request); }

int snapshot(const SnapshotRequest& request) {
  if (request.action != SnapshotAction::diff) return finish(act(request), request.past);
  // As diff(1): 1 says that there are some, 2 that it could not be told.
  const auto count = show_differences(request);
  if (count) return *count == 0 ? 0 : 1;
  report(without_password(count.error(), request.past.database));
  return 2;
}

}  // namespace tusk::cli
