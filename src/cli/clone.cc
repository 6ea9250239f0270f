// clone: a copy within a mounted tree that shares its content with the original.
#include "tuskfs/fuse/clone.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "cli/mount_table.h"
#include "cli/report.h"
#include "cli/verbs.h"
#include "tuskfs/base/fd.h"

namespace tusk::cli {
namespace {

namespace fs = std::filesystem;

std::unexpected<Error> failed(const std::string& what) {
  return fail(errno, fmt::format("{}: {}", what, std::strerror(errno)));
}

struct Places {
  std::string source, target;
  struct stat st {};
};

Result<Places> look(const CloneRequest& request) {
  Places places{settle_path(request.source), settle_path(request.target)};
  TRY_ASSIGN(const MountEntry from, mount_holding(places.source));
  TRY_ASSIGN(const MountEntry to, mount_holding(places.target));
  if (from.target != to.target)
    return fail(EXDEV, "the two paths are in different mounts", "copy with cp -a instead");
  if (::lstat(places.source.c_str(), &places.st) != 0) return failed(places.source);
  const bool within = (places.target + "/").starts_with(places.source + "/");
  if (within && places.target != places.source)
    return fail(EINVAL, fmt::format("{} lies in {}", places.target, places.source));
  return places;
}

// What is cloned into: new, empty, and ours alone until it has the original's mode.
Result<Fd> make_target(const Places& places) {
  const char* path = places.target.c_str();
  if (S_ISDIR(places.st.st_mode)) {
    if (::mkdir(path, 0700) != 0) return failed(places.target);
    Fd fd(::open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd) return failed(places.target);
    return fd;
  }
  Fd fd(::open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!fd) return failed(places.target);
  return fd;
}

std::unexpected<Error> refusal(const Places& places) {
  if (errno == EACCES || errno == EPERM)
    return fail(EACCES, fmt::format("{} holds what is not yours", places.source),
                "only root may clone what others own");
  if (errno == EXDEV) return fail(EXDEV, "what is in .tusk cannot be cloned", "see tuskfs restore");
  return failed(fmt::format("cannot clone {}", places.source));
}

Result<void> perform(const CloneRequest& request) {
  TRY_ASSIGN(const Places places, look(request));
  if (!S_ISDIR(places.st.st_mode) && !S_ISREG(places.st.st_mode))
    return fail(EINVAL, fmt::format("{} is neither a file nor a folder", places.source));
  // Held, so that the number goes on to mean it.
  const Fd source(::open(places.source.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  if (!source) return failed(places.source);
  TRY_ASSIGN(const Fd target, make_target(places));
  std::uint64_t ino = places.st.st_ino;
  if (::ioctl(target.get(), fuse::kCloneFrom, &ino) != 0) {
    const auto refused = refusal(places);
    (void)::unlinkat(AT_FDCWD, places.target.c_str(),
                     S_ISDIR(places.st.st_mode) ? AT_REMOVEDIR : 0);
    return refused;
  }
  // The kernel still knows the target as it was made; and the database may have refused the clone.
  struct statx now {};
  if (::fsync(target.get()) != 0 ||
      ::statx(target.get(), "", AT_EMPTY_PATH | AT_STATX_FORCE_SYNC, STATX_ALL, &now) != 0) {
    return failed(places.target);
  }
  return {};
}

}  // namespace

int clone(const CloneRequest& request) {
  const auto done = perform(request);
  return done ? kDone : report(done.error());
}

}  // namespace tusk::cli
