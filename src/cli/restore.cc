// Brings back what was: through the mount, as any program would, so that it can be undone as well.
// What was deleted is moved out of the trash; an earlier state is written anew.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <optional>
#include <unordered_map>

#include "cli/past.h"
#include "cli/report.h"
#include "cli/secrets.h"
#include "cli/verbs.h"
#include "tuskfs/base/fd.h"

namespace tusk::cli {
namespace {

namespace fs = std::filesystem;

std::unexpected<Error> failed(const char* what, const fs::path& path) {
  return fail(errno, fmt::format("cannot {} {}: {}", what, path.string(), std::strerror(errno)));
}

class Restorer {
 public:
  Restorer(const Past& past, WallTime at) : past_(past), at_(at) {}

  Result<void> entry(const store::PastEntry& entry, const fs::path& target, Version wanted) {
    if (entry.is_folder) return folder(entry, target);
    return file({entry.id}, target, wanted);
  }
  int files() const { return files_; }
  int folders() const { return folders_; }

 private:
  Result<void> folder(const store::PastEntry& entry, const fs::path& target) {
    const bool made = ::mkdir(target.c_str(), 0700) == 0;
    if (!made && (errno != EEXIST || !fs::is_directory(target))) return failed("make", target);
    folders_++;
    TRY_ASSIGN(const auto entries, past_.history->folder({entry.id}, at_));
    for (const store::PastEntry& each : entries) TRY(this->entry(each, target / each.name, -1));
    if (!made) return {};
    // Last of all, so that what came into it changes nothing.
    TRY_ASSIGN(const store::Meta was, past_.history->folder_meta({entry.id}));
    return meta(entry.id, {was.mode, was.uid, was.gid, was.mtime}, target);
  }

  struct Marks {
    mode_t mode = 0;
    uid_t uid = 0;
    gid_t gid = 0;
    WallTime mtime{};
  };
  // In this order: a new owner takes capabilities away, and a mode may forbid attributes.
  Result<void> meta(Uuid id, const Marks& marks, const fs::path& target) {
    // Another's is restored as ours where we may not give it away.
    if (::lchown(target.c_str(), marks.uid, marks.gid) != 0 && errno != EPERM)
      return failed("change the owner of", target);
    TRY(xattrs(id, target));
    if (!S_ISLNK(marks.mode) && ::chmod(target.c_str(), marks.mode & 07777) != 0)
      return failed("change the mode of", target);
    const std::int64_t ns = marks.mtime.ns;
    const timespec times[2] = {{0, UTIME_OMIT}, {ns / 1'000'000'000, ns % 1'000'000'000}};
    if (::utimensat(AT_FDCWD, target.c_str(), times, AT_SYMLINK_NOFOLLOW) != 0)
      return failed("set the times of", target);
    return {};
  }

  Result<void> xattrs(Uuid id, const fs::path& target) {
    TRY_ASSIGN(const auto rows, past_.history->xattrs(id));
    for (const store::XattrRow& row : rows) {
      if (::lsetxattr(target.c_str(), row.name.c_str(), row.value.data(), row.value.size(), 0) == 0)
        continue;
      // Some are for root alone.
      if (errno != EPERM && errno != ENOTSUP) return failed("set the attributes of", target);
      complain(fmt::format("{} of {} is not restored: {}", row.name, target.string(),
                           std::strerror(errno)));
    }
    return {};
  }

  // A further name of what has been restored already; false: it has not.
  Result<bool> further_name(FileId id, const fs::path& target) {
    const auto first = restored_.find(id.uuid);
    if (first == restored_.end()) {
      restored_.emplace(id.uuid, target);
      return false;
    }
    struct stat here, there;
    const bool exists = ::lstat(target.c_str(), &there) == 0;
    if (::lstat(first->second.c_str(), &here) != 0) return failed("look at", first->second);
    if (exists && here.st_dev == there.st_dev && here.st_ino == there.st_ino) return true;
    if (exists && ::unlink(target.c_str()) != 0) return failed("replace", target);
    if (::link(first->second.c_str(), target.c_str()) != 0) return failed("link", target);
    return true;
  }

  Result<void> file(FileId id, const fs::path& target, Version wanted) {
    TRY_ASSIGN(const auto version, find_version(past_, id, at_, wanted));
    files_++;
    TRY_ASSIGN(const bool is_there, further_name(id, target));
    if (is_there) return {};
    if (S_ISLNK(version.mode)) {
      TRY(symlink(id, version, target));
    } else if (S_ISREG(version.mode)) {
      TRY(content(id, version, target));
    } else if (::mknod(target.c_str(), version.mode, 0) != 0) {
      return failed("make", target);
    }
    return meta(id.uuid, {version.mode, version.uid, static_cast<gid_t>(-1), version.mtime},
                target);
  }

  Result<void> symlink(FileId id, const store::PastVersion& version, const fs::path& target) {
    std::string to;
    TRY(past_.history->read(id, version, [&](ByteSpan bytes) -> Result<void> {
      to.append(bytes.begin(), bytes.end());
      return {};
    }));
    if (::symlink(to.c_str(), target.c_str()) != 0) return failed("make", target);
    return {};
  }

  // Read once before the first byte is overwritten: what cannot be read whole changes nothing.
  Result<void> content(FileId id, const store::PastVersion& version, const fs::path& target) {
    TRY(past_.history->read(id, version, [](ByteSpan) -> Result<void> { return {}; }));
    const Fd fd(
        ::open(target.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!fd) return failed("open", target);
    TRY(past_.history->read(id, version, [&](ByteSpan bytes) -> Result<void> {
      if (write_all(fd.get(), bytes)) return {};
      return failed("write", target);
    }));
    return {};
  }

  const Past& past_;
  const WallTime at_;
  std::unordered_map<Uuid, fs::path> restored_;
  int files_ = 0, folders_ = 0;
};

std::string text_attribute(const fs::path& path, const char* name) {
  char value[65536];
  const ssize_t size = ::lgetxattr(path.c_str(), name, value, sizeof value);
  return size < 0 ? std::string() : std::string(value, static_cast<std::size_t>(size));
}

// Where the trash has what was at a path last, by itself or in a folder that was deleted.
std::optional<fs::path> find_in_trash(const Past& past) {
  const fs::path trash = fs::path(past.root) / ".tusk/trash";
  for (fs::path top = past.path; top != top.parent_path(); top = top.parent_path()) {
    std::vector<fs::path> found;
    std::error_code unreadable;  // then it is restored without
    for (const fs::directory_entry& each : fs::directory_iterator(trash, unreadable)) {
      if (!each.path().filename().string().starts_with(top.filename().string() + "@")) continue;
      if (text_attribute(each.path(), "user.tusk.path") != top) continue;
      const fs::path within = fs::path(past.path).lexically_relative(top);
      found.push_back(within == "." ? each.path() : each.path() / within);
    }
    std::erase_if(found, [](const fs::path& path) {
      struct stat there {};
      return ::lstat(path.c_str(), &there) != 0;
    });
    if (!found.empty()) return std::ranges::max(found);  // their names end with the time
  }
  return std::nullopt;
}

// What was deleted comes back as it was, with its versions. False: it is not there whole, or one
// may not; then it is made anew.
bool take_out_of_trash(const Past& past, const fs::path& target) {
  struct stat there {};
  if (::lstat(target.c_str(), &there) == 0) return false;
  const auto trashed = find_in_trash(past);
  return trashed && ::rename(trashed->c_str(), target.c_str()) == 0;
}

Result<void> perform(const PastRequest& request) {
  TRY_ASSIGN(const Past past, look_back(request));
  TRY_ASSIGN(const PastPlace place, find_place(past, request));
  fs::path target = past.root + past.path;
  if (!request.to.empty()) {
    target = fs::absolute(request.to);
    struct stat there {};
    if (::lstat(target.c_str(), &there) == 0) {
      return fail(EEXIST, fmt::format("{} exists", target.string()),
                  "give --to a name that is free");
    }
  }
  if (place.entry.is_folder && request.version >= 0) {
    return fail(EINVAL, fmt::format("{} is a folder, which has no versions", past.path),
                "say --at TIME");
  }
  std::error_code ignored;  // told by what comes next
  fs::create_directories(target.parent_path(), ignored);
  const bool is_as_deleted = request.at.empty() && request.version < 0;
  if (is_as_deleted && take_out_of_trash(past, target)) {
    fmt::print("restored {} from the trash, with its versions\n", target.string());
    return {};
  }
  Restorer restorer(past, place.at);
  TRY(restorer.entry(place.entry, target, request.version));
  fmt::print("restored {} ({} files, {} folders)\n", target.string(), restorer.files(),
             restorer.folders());
  return {};
}

}  // namespace

int restore(const PastRequest& request) {
  const auto done = perform(request);
  return done ? kDone : report(without_password(done.error(), request.database));
}

}  // namespace tusk::cli
