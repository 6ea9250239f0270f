#include <fmt/format.h>
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

Result<void> act(const SnapshotRequest& request) {
  TRY_ASSIGN(const Past past, look_back(request.past));
  switch (request.action) {
    case SnapshotAction::create:
      return past.history->take_snapshot(request.name);
    case SnapshotAction::remove:
      return past.history->remove_snapshot(request.name);
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
int snapshot(const SnapshotRequest& request) { return finish(act(request), request.past); }

}  // namespace tusk::cli
