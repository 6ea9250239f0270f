#include "cli/unmounting.h"

#include <fmt/format.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <vector>

#include "tuskfs/base/fd.h"

extern char** environ;

namespace tusk::cli {
namespace {

namespace fs = std::filesystem;

bool lies_in(const std::string& path, const std::string& folder) {
  return path == folder || path.starts_with(folder + "/");
}

// Reading these links does not ask the filesystem they lead to.
bool uses(const fs::path& process, const std::string& target) {
  std::error_code none;
  for (const char* link : {"cwd", "root"})
    if (lies_in(fs::read_symlink(process / link, none), target)) return true;
  for (const auto& fd : fs::directory_iterator(process / "fd", none))
    if (lies_in(fs::read_symlink(fd.path(), none), target)) return true;
  return false;
}

// "process 12 (bash)" of the first few; empty when they are not ours to see.
std::string users_of(const std::string& target) {
  std::string names;
  int count = 0;
  std::error_code none;
  for (const auto& process : fs::directory_iterator("/proc", none)) {
    const std::string pid = process.path().filename();
    if (pid.find_first_not_of("0123456789") != std::string::npos) continue;
    if (!uses(process.path(), target) || ++count > 3) continue;
    std::string name;
    std::getline(std::ifstream(process.path() / "comm") >> std::ws, name);
    names += fmt::format("{}process {} ({})", names.empty() ? "" : ", ", pid, name);
  }
  return names;
}

Error busy(const std::string& target) {
  const std::string users = users_of(target);
  return {EBUSY, fmt::format("{} is in use{}", target, users.empty() ? "" : " by " + users),
          "leave the folder and close its files, then try again"};
}

std::string trimmed_output(const Fd& output) {
  char buffer[512];
  const ssize_t n = ::pread(output.get(), buffer, sizeof buffer, 0);
  return {buffer, static_cast<std::size_t>(n > 0 ? n : 0)};
}

Result<void> by_fusermount(const std::string& target, Unmounting how) {
  const Fd output(::memfd_create("tuskfs-fusermount", MFD_CLOEXEC));
  std::vector<std::string> args = {"fusermount3", how == Unmounting::lazy ? "-uz" : "-u", "--",
                                   target};
  std::vector<char*> argv;
  for (std::string& arg : args) argv.push_back(arg.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, output.get(), STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, output.get(), STDERR_FILENO);
  pid_t pid = 0;
  const int failed = ::posix_spawnp(&pid, argv[0], &actions, nullptr, argv.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (failed != 0)
    return fail(failed, "fusermount3 is not installed",
                "apt-get install fuse3, or unmount as root");
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (status == 0) return {};
  const std::string said = trimmed_output(output);
  if (said.find("busy") != std::string::npos) return std::unexpected(busy(target));
  return fail(EPERM, said.empty() ? "fusermount3 failed" : said);
}

}  // namespace

Result<void> unmount_at(const std::string& target, Unmounting how) {
  if (::geteuid() != 0) return by_fusermount(target, how);
  const int flags = UMOUNT_NOFOLLOW | (how == Unmounting::lazy ? MNT_DETACH : 0);
  if (::umount2(target.c_str(), flags) == 0) return {};
  if (errno == EBUSY) return std::unexpected(busy(target));
  return fail(errno, fmt::format("cannot unmount {}: {}", target, std::strerror(errno)));
}

}  // namespace tusk::cli
