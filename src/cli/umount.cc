#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

#include "cli/asking.h"
#include "cli/mount_table.h"
#include "cli/report.h"
#include "cli/unmounting.h"
#include "cli/verbs.h"
#include "tuskfs/base/fd.h"

namespace tusk::cli {
namespace {

constexpr auto kAnswerWithin = std::chrono::seconds(10);

// Commits everything; the driver bounds this by its own --db-timeout.
Result<std::string> sync_root(const std::string& target) {
  const Fd root(::open(target.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (root && ::fsync(root.get()) == 0) return std::string();
  return fail(errno, fmt::format("cannot commit what {} holds, so it stays mounted: {}", target,
                                 std::strerror(errno)));
}

// A watch on the driver's process; empty when it is none of this machine's.
Fd watch(const std::string& status_text) {
  const auto status = nlohmann::json::parse(status_text, nullptr, false);
  if (!status.is_object() || !status.contains("pid")) return {};
  const int pid = status["pid"].get<int>();
  std::string name;
  std::getline(std::ifstream(fmt::format("/proc/{}/comm", pid)) >> std::ws, name);
  // In another container the number may be another program's. mount(8) starts it by a longer name.
  if (!name.starts_with("tuskfs") && !name.starts_with("mount.fuse.tusk")) return {};
  return Fd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
}

void wait_for_end(const Fd& process) {
  pollfd ended{process.get(), POLLIN, 0};
  while (process && ::poll(&ended, 1, -1) < 0 && errno == EINTR) {
  }
}

Result<void> clear_dead(const MountEntry& mount) {
  TRY(unmount_at(mount.target, Unmounting::lazy));
  return fail(ENOTCONN,
              fmt::format("the driver of {} had died; the dead mount is gone", mount.target),
              "mount again: all up to its last commit is in the database");
}

Result<void> unmount(const std::string& path) {
  TRY_ASSIGN(const MountEntry mount, find_mount(path));
  const auto status = status_text_of(mount, kAnswerWithin);
  if (!status && (status.error().code == ENOTCONN || status.error().code == ECONNABORTED))
    return clear_dead(mount);
  if (!status && status.error().code == ETIMEDOUT) {
    return fail(ETIMEDOUT, fmt::format("{} does not answer", path),
                fmt::format("see its log; umount -l {} takes it away without waiting", path));
  }
  const Fd driver = status ? watch(*status) : Fd();
  TRY(ask_as_owner(mount, std::chrono::milliseconds(0),
                   [&mount] { return sync_root(mount.target); }));
  TRY(unmount_at(mount.target, Unmounting::plain));
  wait_for_end(driver);
  return {};
}

}  // namespace

int umount(const UmountRequest& request) {
  const auto done = unmount(request.mountpoint);
  return done ? kDone : report(done.error());
}

}  // namespace tusk::cli
