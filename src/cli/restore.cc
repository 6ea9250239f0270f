// Brings back what was: through the mount, as any program would, so that it can be undone as well.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

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

Result<void> write_all(int fd, const fs::path& path, ByteSpan bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return failed("write", path);
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
  return {};
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
    if (::mkdir(target.c_str(), 0777) != 0 && (errno != EEXIST || !fs::is_directory(target)))
      return failed("make", target);
    folders_++;
    TRY_ASSIGN(const auto entries, past_.history->folder({entry.id}, at_));
    for (const store::PastEntry& each : entries) TRY(this->entry(each, target / each.name, -1));
    return {};
  }

  Result<void> file(FileId id, const fs::path& target, Version wanted) {
    TRY_ASSIGN(const auto version, find_version(past_, id, at_, wanted));
    files_++;
    if (S_ISLNK(version.mode)) return link(id, version, target);
    if (S_ISREG(version.mode)) return content(id, version, target);
    if (::mknod(target.c_str(), version.mode, 0) != 0) return failed("make", target);
    return {};
  }

  Result<void> link(FileId id, const store::PastVersion& version, const fs::path& target) {
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
    const Fd fd(::open(target.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC,
                       version.mode & 07777));
    if (!fd) return failed("open", target);
    TRY(past_.history->read(id, version,
                            [&](ByteSpan bytes) { return write_all(fd.get(), target, bytes); }));
    // Another's file is restored as ours where we may not give it away.
    if (::fchown(fd.get(), version.uid, static_cast<gid_t>(-1)) != 0 && errno != EPERM)
      return failed("change the owner of", target);
    if (::fchmod(fd.get(), version.mode & 07777) != 0) return failed("change the mode of", target);
    const std::int64_t ns = version.mtime.ns;
    const timespec times[2] = {{0, UTIME_OMIT}, {ns / 1'000'000'000, ns % 1'000'000'000}};
    if (::futimens(fd.get(), times) != 0) return failed("set the times of", target);
    return {};
  }

  const Past& past_;
  const WallTime at_;
  int files_ = 0, folders_ = 0;
};

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
