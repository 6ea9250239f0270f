#include "cli/mountpoint.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "cli/asking.h"
#include "cli/mount_table.h"
#include "cli/unmounting.h"
#include "tuskfs/base/fd.h"

namespace tusk::cli {
namespace {

namespace fs = std::filesystem;

constexpr auto kAnswerWithin = std::chrono::seconds(2);

Result<void> check_device() {
  struct stat device {};
  if (::stat("/dev/fuse", &device) != 0) {
    return fail(errno, "/dev/fuse is missing",
                "modprobe fuse, or give the container --device /dev/fuse --cap-add SYS_ADMIN");
  }
  if (::geteuid() != 0) return {};  // fusermount3 opens it
  const Fd fd(::open("/dev/fuse", O_RDWR | O_CLOEXEC));
  if (fd) return {};
  return fail(errno, fmt::format("cannot open /dev/fuse: {}", std::strerror(errno)),
              "modprobe fuse, or give the container --device /dev/fuse --cap-add SYS_ADMIN");
}

// Attributes of a dead mount may still be answered from the kernel's memory; its driver is asked.
Result<void> clear_dead_mount(const std::string& path) {
  const auto entry = mount_at(settle_path(path));
  if (!entry || !entry->ours()) return {};
  const auto status = status_text_of(*entry, kAnswerWithin);
  const bool dead =
      !status && (status.error().code == ENOTCONN || status.error().code == ECONNABORTED);
  return dead ? unmount_at(entry->target, Unmounting::lazy) : Result<void>();
}

Result<void> check_folder(const std::string& given, const std::string& path) {
  struct stat found {};
  if (::stat(path.c_str(), &found) != 0) {
    const int code = errno;
    if (code == ENOENT)
      return fail(code, fmt::format("mount point {} does not exist", given),
                  fmt::format("mkdir -p {}", given));
    return fail(code, fmt::format("cannot use mount point {}: {}", given, std::strerror(code)));
  }
  if (!S_ISDIR(found.st_mode))
    return fail(ENOTDIR, fmt::format("mount point {} is not a folder", given));
  return {};
}

Result<void> check_empty(const std::string& given, const std::string& path) {
  std::error_code failed;
  const fs::directory_iterator entries(path, failed);
  if (failed)
    return fail(failed.value(),
                fmt::format("cannot read mount point {}: {}", given, failed.message()));
  if (entries == fs::directory_iterator()) return {};
  return fail(ENOTEMPTY, fmt::format("mount point {} is not empty", given),
              "choose an empty folder: a mount would hide what is in it");
}

bool lies_in(const std::string& path, const std::string& folder) {
  return path == folder || path.starts_with(folder == "/" ? folder : folder + "/");
}

}  // namespace

Result<std::string> claim_mountpoint(const std::string& given) {
  TRY(check_device());
  TRY(clear_dead_mount(given));
  std::error_code failed;
  const std::string path = fs::weakly_canonical(fs::absolute(given), failed);
  TRY(check_folder(given, failed ? given : path));
  if (const auto entry = mount_at(path)) {
    return fail(EBUSY, fmt::format("{} is already mounted (a {} filesystem)", given, entry->type),
                entry->ours() ? fmt::format("tuskfs umount {}", given) : "choose another folder");
  }
  TRY(check_empty(given, path));
  return path;
}

Result<void> check_apart(const MountRequest& request) {
  const std::string& target = request.mountpoint;
  if (request.source.embedded() &&
      (lies_in(request.source.data_dir, target) || lies_in(target, request.source.data_dir))) {
    return fail(EINVAL,
                fmt::format("the data folder {} and the mount point {} lie in each other",
                            request.source.data_dir, target),
                "choose another --data-dir");
  }
  if (!request.log_file.empty() && lies_in(request.log_file, target)) {
    return fail(EINVAL, "the log file lies behind the mount point", "choose another --log-file");
  }
  return {};
}

}  // namespace tusk::cli
