#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <nlohmann/json.hpp>

#include "cli/past.h"
#include "cli/report.h"
#include "cli/secrets.h"
#include "cli/verbs.h"
#include "tuskfs/base/fd.h"
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
  if (write_all(STDOUT_FILENO, bytes)) return {};
  return fail(errno, fmt::format("cannot write: {}", std::strerror(errno)));
}

Result<PastPlace> find_file(const Past& past, const PastRequest& request) {
  TRY_ASSIGN(PastPlace place, find_place(past, request));
  if (!place.entry.is_folder) return place;
  return fail(EISDIR, fmt::format("{} is a folder", past.path));
}

// A version, or what happened to the file's name; the latest first.
struct LogLine {
  WallTime at{};
  const store::PastVersion* version = nullptr;
  const store::NameEvent* event = nullptr;
};

std::vector<LogLine> lines_of(const std::vector<store::PastVersion>& versions,
                              const std::vector<store::NameEvent>& events) {
  std::vector<LogLine> lines;
  for (const store::PastVersion& v : versions) lines.push_back({v.since, &v, nullptr});
  for (const store::NameEvent& e : events) lines.push_back({e.at, nullptr, &e});
  std::ranges::stable_sort(lines, [](const LogLine& a, const LogLine& b) { return b.at < a.at; });
  return lines;
}

std::string why(const store::PastVersion& v) {
  return v.same_as ? fmt::format("{}, as version {}", v.why, *v.same_as) : v.why;
}

std::string why(const store::NameEvent& e) {
  if (e.by) return fmt::format("{} by {}: {}", e.what, *e.by, e.path);
  return fmt::format("{}: {}{}", e.what, e.path, e.new_path.empty() ? "" : " -> " + e.new_path);
}

Json json_of(const store::PastVersion& v) {
  Json row{{"version", v.version},
           {"since", time_text(v.since)},
           {"until", v.until ? Json(time_text(*v.until)) : Json()},
           {"size", v.size},
           {"uid", v.uid},
           {"mtime", time_text(v.mtime)},
           {"why", v.why}};
  if (v.same_as) row["same_as"] = *v.same_as;
  return row;
}

Json json_of(const store::NameEvent& e) {
  Json row{{"version", nullptr}, {"since", time_text(e.at)}, {"why", e.what}, {"path", e.path}};
  if (!e.new_path.empty()) row["new_path"] = e.new_path;
  if (e.by) row["uid"] = *e.by;
  return row;
}

Result<void> show_log(const PastRequest& request) {
  TRY_ASSIGN(const Past past, look_back(request));
  TRY_ASSIGN(const PastPlace place, find_file(past, request));
  TRY_ASSIGN(const auto versions, past.history->versions({place.entry.id}));
  TRY_ASSIGN(const auto events, past.history->events({place.entry.id}));
  const std::vector<LogLine> lines = lines_of(versions, events);
  if (request.json) {
    Json rows = Json::array();
    for (const LogLine& line : lines)
      rows.push_back(line.version ? json_of(*line.version) : json_of(*line.event));
    print(rows);
    return {};
  }
  constexpr const char* kLine = "{:>8}  {:24}  {:24}  {:>14}  {:>6}  {}\n";
  fmt::print(kLine, "VERSION", "SINCE", "UNTIL", "SIZE", "UID", "WHY");
  for (const LogLine& line : lines) {
    if (const store::PastVersion* v = line.version) {
      fmt::print(kLine, v->version, time_text(v->since),
                 v->until ? time_text(*v->until) : "present", v->size, v->uid, why(*v));
    } else {
      fmt::print(kLine, "-", time_text(line.at), "", "", "", why(*line.event));
    }
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

Result<void> show_space(const PastRequest& request) {
  TRY_ASSIGN(const Past past, look_back(request));
  TRY_ASSIGN(const PastPlace place, find_place(past, request));
  TRY_ASSIGN(const auto used, past.history->space_used(place.entry));
  Json all;
  if (!request.json)
    fmt::print("{:8}  {:>10}  {:>18}  {:>18}\n", "", "FILES", "BYTES", "IN DATABASE");
  for (const store::SpaceUsed& u : used) {
    all[u.what] = {{"files", u.count}, {"bytes", u.bytes}, {"database_bytes", u.held}};
    if (!request.json)
      fmt::print("{:8}  {:>10}  {:>18}  {:>18}\n", u.what, u.count, u.bytes, u.held);
  }
  if (request.json) print(all);
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
    fmt::print(
        "{} files, {} folders, {} versions and {} objects were past their time and are gone\n",
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
int du(const PastRequest& request) { return finish(show_space(request), request); }
int gc(const PastRequest& request) { return finish(collect(request), request); }

int snapshot(const SnapshotRequest& request) { return finish(act(request), request.past); }

}  // namespace tusk::cli
