// diff and snapshot diff: what changed between two moments.
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
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
using Side = store::History::Side;

// Exit statuses as diff(1) has them.
constexpr int kSame = 0, kDifferent = 1, kTrouble = 2;
// As much as diff(1) and grep(1) look at to tell text from other bytes.
constexpr std::size_t kLookedAt = 32 << 10;

struct Moment {
  std::optional<Version> version;
  WallTime at{};
};

Result<Moment> moment_of(const Past& past, const std::string& text) {
  if (!text.empty() && text.size() < 19 && text.find_first_not_of("0123456789") == text.npos)
    return Moment{std::stoll(text), {}};
  TRY_ASSIGN(const auto snapshots, past.history->snapshots());
  const auto snapshot = std::ranges::find(snapshots, text, &store::Snapshot::name);
  if (snapshot != snapshots.end()) return Moment{{}, snapshot->taken_at};
  const auto time = parse_time(text);
  if (time) return Moment{{}, *time};
  return fail(EINVAL, fmt::format("'{}' is no version, snapshot or time", text),
              "tuskfs log and tuskfs snapshot list show them; a time is 2026-11-23T10:00:00Z");
}

// A file as it was; no version: it was not there.
struct PastFile {
  FileId id;
  std::optional<store::PastVersion> version;
  std::string label;
};

Result<PastFile> file_at(const Past& past, const store::PastEntry& known, const Moment& moment) {
  PastFile file{{known.id}, {}, "/dev/null"};
  if (moment.version) {
    TRY_ASSIGN(file.version, find_version(past, file.id, {}, *moment.version));
  } else {
    TRY_ASSIGN(const auto entry, past.history->resolve(past.path, moment.at));
    if (!entry) return file;
    if (entry->is_folder)
      return fail(EISDIR, fmt::format("{} was a folder at {}", past.path, time_text(moment.at)));
    file.id = {entry->id};
    TRY_ASSIGN(file.version, find_version(past, file.id, moment.at, -1));
  }
  file.label = fmt::format("{}\t{} version {}", past.path, time_text(file.version->since),
                           file.version->version);
  return file;
}

// The content before the other one.
Result<PastFile> file_before(const Past& past, const PastFile& other) {
  TRY_ASSIGN(const auto versions, past.history->versions(other.id));
  for (const store::PastVersion& version : versions) {
    if (version.version < other.version->version)
      return file_at(past, {other.id.uuid, false, {}}, {version.version, {}});
  }
  return fail(ENOENT, fmt::format("{} has no version before {}", past.path, other.version->version),
              "tuskfs log lists them");
}

// A file in no folder, which nobody else can open.
Result<Fd> temporary() {
  const char* folder = std::getenv("TMPDIR");
  std::string path = fmt::format("{}/tuskfs-diff-XXXXXX", folder && *folder ? folder : "/tmp");
  Fd fd(::mkstemp(path.data()));
  if (!fd) return fail(errno, fmt::format("cannot make {}: {}", path, std::strerror(errno)));
  ::unlink(path.c_str());
  return fd;
}

Result<Fd> content_of(const Past& past, const PastFile& file) {
  TRY_ASSIGN(Fd fd, temporary());
  if (file.version) {
    TRY(past.history->read(file.id, *file.version, [&](ByteSpan bytes) -> Result<void> {
      if (write_all(fd.get(), bytes)) return {};
      return fail(errno, fmt::format("cannot write a temporary file: {}", std::strerror(errno)));
    }));
  }
  return fd;
}

bool is_text(int fd) {
  std::array<char, kLookedAt> bytes;
  const ssize_t n = ::pread(fd, bytes.data(), bytes.size(), 0);
  return n <= 0 || std::memchr(bytes.data(), 0, static_cast<std::size_t>(n)) == nullptr;
}

Result<bool> are_same(int one, int other) {
  std::array<char, 1 << 16> a, b;
  for (off_t at = 0;; at += static_cast<off_t>(a.size())) {
    const ssize_t n = ::pread(one, a.data(), a.size(), at);
    const ssize_t m = ::pread(other, b.data(), b.size(), at);
    if (n < 0 || m < 0) return fail(errno, "cannot read a temporary file");
    if (n != m || std::memcmp(a.data(), b.data(), static_cast<std::size_t>(n)) != 0) return false;
    if (n == 0) return true;
  }
}

std::string path_of(int fd) { return fmt::format("/dev/fd/{}", fd); }

// diff(1) reads what it inherits.
Result<int> run_diff(const PastFile& from, const Fd& old_bytes, const PastFile& to,
                     const Fd& new_bytes) {
  std::fflush(stdout);
  const std::string old_path = path_of(old_bytes.get()), new_path = path_of(new_bytes.get());
  const pid_t pid = ::fork();
  if (pid < 0) return fail(errno, std::strerror(errno));
  if (pid == 0) {
    ::execlp("diff", "diff", "-u", "--label", from.label.c_str(), "--label", to.label.c_str(),
             old_path.c_str(), new_path.c_str(), nullptr);
    ::_exit(127);
  }
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
  if (WIFEXITED(status) && WEXITSTATUS(status) <= kDifferent) return WEXITSTATUS(status);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
    return fail(ENOENT, "there is no diff(1) on this machine", "install diffutils");
  return fail(EIO, "diff(1) failed");
}

Result<int> compare_files(const Past& past, const PastFile& from, const PastFile& to) {
  if (!from.version && !to.version) {
    return fail(ENOENT, fmt::format("there was no {} at either moment", past.path));
  }
  TRY_ASSIGN(const Fd old_bytes, content_of(past, from));
  TRY_ASSIGN(const Fd new_bytes, content_of(past, to));
  TRY_ASSIGN(const bool same, are_same(old_bytes.get(), new_bytes.get()));
  if (same && from.version && to.version) return kSame;
  if (is_text(old_bytes.get()) && is_text(new_bytes.get())) {
    TRY_ASSIGN(const int status, run_diff(from, old_bytes, to, new_bytes));
    if (status == kDifferent) return status;
  }
  if (same) {
    fmt::print("{} is empty, and only there at one of both moments\n", past.path);
  } else {
    fmt::print("binary contents of {} differ ({} and {} bytes)\n", past.path,
               from.version ? from.version->size : 0, to.version ? to.version->size : 0);
  }
  return kDifferent;
}

std::string line_of(const store::TreeDifference& d) {
  const char* slash = d.is_folder ? "/" : "";
  if (d.what != "renamed") return fmt::format("{:<8} {}{}", d.what, d.path, slash);
  return fmt::format("{:<8} {}{} -> {}{}{}", d.what, d.old_path, slash, d.path, slash,
                     d.content ? " (changed)" : "");
}

Json json_of(const store::TreeDifference& d) {
  Json out{{"what", d.what}, {"path", d.path}, {"folder", d.is_folder}};
  if (d.what == "renamed") {
    out["old_path"] = d.old_path;
    out["content_changed"] = d.content;
  }
  if (d.is_folder) return out;
  if (d.what != "added") out["old_size"] = d.old_size;
  if (d.what != "deleted") out["new_size"] = d.new_size;
  return out;
}

Result<int> compare_folders(const Past& past, const Side& from, const Side& to, bool json) {
  TRY_ASSIGN(auto differences, past.history->diff(from, to));
  const std::string above = past.path == "/" ? "" : past.path;
  Json rows = Json::array();
  for (store::TreeDifference& d : differences) {
    d.path = above + d.path;
    if (d.what == "renamed") d.old_path = above + d.old_path;
    if (json) {
      rows.push_back(json_of(d));
    } else {
      fmt::print("{}\n", line_of(d));
    }
  }
  if (json) fmt::print("{}\n", rows.dump(2, ' ', false, Json::error_handler_t::replace));
  return differences.empty() ? kSame : kDifferent;
}

// The folder of the path at each moment; at one where it was not there, what it was or became.
Result<int> diff_folder(const Past& past, const DiffRequest& request, WallTime now) {
  if (request.from.empty())
    return fail(EINVAL, fmt::format("{} is a folder: since when?", past.path),
                "--from TIME or SNAPSHOT");
  TRY_ASSIGN(const Moment from, moment_of(past, request.from));
  Moment to{{}, now};
  if (!request.to.empty()) {
    TRY_ASSIGN(to, moment_of(past, request.to));
  }
  if (from.version || to.version) return fail(EINVAL, "folders have no versions", "give a time");
  TRY_ASSIGN(const auto before, past.history->resolve(past.path, from.at));
  TRY_ASSIGN(const auto after, past.history->resolve(past.path, to.at));
  if (!before && !after)
    return fail(ENOENT, fmt::format("there was no {} at either moment", past.path));
  if ((before && !before->is_folder) || (after && !after->is_folder))
    return fail(ENOTDIR, fmt::format("{} was not a folder at both moments", past.path));
  return compare_folders(past, {{before ? before->id : after->id}, from.at},
                         {{after ? after->id : before->id}, to.at}, request.past.json);
}

Result<int> diff_file(const Past& past, const DiffRequest& request, const PastPlace& place) {
  Moment moment{{}, place.at};
  if (!request.to.empty()) {
    TRY_ASSIGN(moment, moment_of(past, request.to));
  }
  TRY_ASSIGN(const PastFile to, file_at(past, place.entry, moment));
  if (request.from.empty()) {
    if (!to.version) return fail(ENOENT, fmt::format("there was no {} then", past.path));
    TRY_ASSIGN(const PastFile from, file_before(past, to));
    return compare_files(past, from, to);
  }
  TRY_ASSIGN(moment, moment_of(past, request.from));
  TRY_ASSIGN(const PastFile from, file_at(past, place.entry, moment));
  return compare_files(past, from, to);
}

Result<int> compare(const DiffRequest& request) {
  TRY_ASSIGN(const Past past, look_back(request.past));
  TRY_ASSIGN(const PastPlace place, find_place(past, request.past));
  if (place.entry.is_folder) return diff_folder(past, request, present());
  if (request.past.json) return fail(EINVAL, "--json is for folders");
  return diff_file(past, request, place);
}

Result<WallTime> taken_at(const std::vector<store::Snapshot>& snapshots, const std::string& name) {
  const auto found = std::ranges::find(snapshots, name, &store::Snapshot::name);
  if (found != snapshots.end()) return found->taken_at;
  return fail(ENOENT, "there is no snapshot '" + name + "'", "tuskfs snapshot list shows them");
}

Result<int> compare_snapshots(const SnapshotRequest& request) {
  TRY_ASSIGN(Past past, look_back(request.past));
  past.path.assign(1, '/');
  TRY_ASSIGN(const auto snapshots, past.history->snapshots());
  TRY_ASSIGN(const WallTime from, taken_at(snapshots, request.name));
  WallTime to = present();
  if (!request.other.empty()) {
    TRY_ASSIGN(to, taken_at(snapshots, request.other));
  }
  TRY_ASSIGN(const auto root, past.history->resolve("/", to));
  if (!root) return fail(ENOENT, "the tree was not there then");
  return compare_folders(past, {{root->id}, from}, {{root->id}, to}, request.past.json);
}

int finish(const Result<int>& done, const PastRequest& request) {
  if (done) return *done;
  report(without_password(done.error(), request.database));
  return kTrouble;
}

}  // namespace

int diff(const DiffRequest& request) { return finish(compare(request), request.past); }

int snapshot_diff(const SnapshotRequest& request) {
  return finish(compare_snapshots(request), request.past);
}

}  // namespace tusk::cli
