#include "fuse/kernel_mount.h"

#include <fcntl.h>
#include <pthread.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <memory>
#include <sstream>
#include <string_view>

#include "tuskfs/base/fd.h"
#include "tuskfs/base/log.h"

namespace tusk::fuse {
namespace {

constexpr int kReadaheadKib = 1024;

// libfuse reports through a callback without context, on the thread that called it.
thread_local std::string last_message;

void take_message(fuse_log_level level, const char* format, va_list arguments) {
  std::array<char, 512> line;
  std::vsnprintf(line.data(), line.size(), format, arguments);
  std::string_view text(line.data(), std::strcspn(line.data(), "\n"));
  if (text.starts_with("fuse: ")) text.remove_prefix(6);
  if (text.empty()) return;
  log::debug("libfuse: {}", text);
  if (level <= FUSE_LOG_ERR) last_message = text;
}

// What fusermount3, a program that libfuse starts, has to say comes on stderr: held back here, so
// that it can become part of one error.
class CapturedStderr {
 public:
  CapturedStderr()
      : saved_(::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3)),
        file_(::memfd_create("stderr", MFD_CLOEXEC)) {
    if (saved_ && file_) ::dup2(file_.get(), STDERR_FILENO);
  }
  ~CapturedStderr() { restore(); }

  std::string take() {
    restore();
    std::string text(4096, '\0');
    const ssize_t got = ::pread(file_.get(), text.data(), text.size(), 0);
    text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    return text;
  }

 private:
  void restore() {
    if (saved_ && file_) ::dup2(saved_.get(), STDERR_FILENO);
    saved_.reset();
  }

  Fd saved_, file_;
};

bool file_has_line(const char* path, std::string_view wanted) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (std::string_view(line).substr(0, line.find_first_of(" \t#")) == wanted) return true;
  }
  return false;
}

bool in_path(const std::string& program) {
  const char* path = std::getenv("PATH");
  std::istringstream folders(path == nullptr ? "/usr/bin:/bin" : path);
  for (std::string folder; std::getline(folders, folder, ':');) {
    if (::access((folder + "/" + program).c_str(), X_OK) == 0) return true;
  }
  return ::access(("/usr/bin/" + program).c_str(), X_OK) == 0;
}

// What can be seen to be missing before the kernel is asked.
Result<void> check_rights(const MountOptions& options) {
  if (::access("/dev/fuse", F_OK) != 0) {
    return fail(ENOENT, "/dev/fuse is missing",
                "load it with: modprobe fuse; a container needs --device /dev/fuse");
  }
  if (::access("/dev/fuse", R_OK | W_OK) != 0) {
    return fail(EACCES, "this user may not open /dev/fuse",
                "as root: chmod 666 /dev/fuse, as udev does");
  }
  if (::geteuid() == 0) return {};
  if (!in_path("fusermount3")) {
    return fail(ENOENT, "fusermount3 is missing, and only root can mount without it",
                "install the package fuse3");
  }
  const bool others = std::ranges::any_of(options.fuse_options, [](const std::string& o) {
    return o == "allow_other" || o == "allow_root";
  });
  if (others && !file_has_line("/etc/fuse.conf", "user_allow_other")) {
    return fail(EPERM, "only root may mount with allow_other",
                "add the line user_allow_other to /etc/fuse.conf, or leave allow_other out");
  }
  return {};
}

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

void run_fusermount(const std::string& mountpoint) {
  std::string program = "fusermount3", unmount = "-u", quiet = "-q", lazy = "-z", path = mountpoint;
  std::array<char*, 6> arguments{program.data(), unmount.data(), quiet.data(),
                                 lazy.data(),    path.data(),    nullptr};
  pid_t pid = 0;
  if (::posix_spawnp(&pid, program.c_str(), nullptr, nullptr, arguments.data(), environ) != 0)
    return;
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
}

// The number by which sysfs knows the mount, "0:42": stat(2) would ask this very process.
std::string device_of(const std::string& mountpoint) {
  std::string escaped;
  for (const char c : mountpoint) {
    if (c == ' ' || c == '\t' || c == '\n' || c == '\\') {
      escaped += fmt::format("\\{:03o}", c);
    } else {
      escaped += c;
    }
  }
  std::ifstream mounts("/proc/self/mountinfo");
  std::string found;
  for (std::string line; std::getline(mounts, line);) {
    std::istringstream fields(line);
    std::string id, parent, device, root, target;
    fields >> id >> parent >> device >> root >> target;
    if (target == escaped) found = device;
  }
  return found;
}

}  // namespace

void collect_libfuse_messages() { fuse_set_log_func(take_message); }

std::string last_libfuse_message() { return last_message; }

Result<std::string> usable_mountpoint(const std::string& path) {
  struct stat st {};
  const std::unique_ptr<char, decltype(&std::free)> real(::realpath(path.c_str(), nullptr),
                                                         &std::free);
  if (!real || ::stat(real.get(), &st) != 0) {
    const int code = errno;
    std::string hint;
    if (code == ENOENT) hint = "make it first: mkdir -p " + path;
    if (code == ENOTCONN) hint = "a mount whose driver died is in the way: fusermount3 -u " + path;
    return fail(code, fmt::format("cannot mount on {}: {}", path, std::strerror(code)),
                std::move(hint));
  }
  if (!S_ISDIR(st.st_mode)) {
    return fail(ENOTDIR, fmt::format("cannot mount on {}: it is not a folder", path),
                "give a folder");
  }
  return std::string(real.get());
}

Result<void> mount_session(fuse_session* session, const std::string& mountpoint,
                           const MountOptions& options) {
  TRY(check_rights(options));
  last_message.clear();
  CapturedStderr captured;
  errno = 0;
  const bool mounted = fuse_session_mount(session, mountpoint.c_str()) == 0;
  const int code = errno;
  const std::string said = captured.take();
  if (mounted) return {};
  std::string why = !last_message.empty() ? last_message : first_line(said);
  if (why.empty()) why = std::strerror(code == 0 ? EPERM : code);
  std::string hint = ::geteuid() == 0
                         ? "a container needs --cap-add SYS_ADMIN and --device /dev/fuse"
                         : "mount as root, or on a folder of your own";
  return fail(code == 0 ? EPERM : code, fmt::format("cannot mount on {}: {}", mountpoint, why),
              std::move(hint));
}

void raise_readahead(const std::string& mountpoint) {
  std::ofstream file("/sys/class/bdi/" + device_of(mountpoint) + "/read_ahead_kb");
  file << kReadaheadKib << std::flush;
  if (!file) log::debug("the kernel reads ahead as it sees fit");
}

Unmounting::Unmounting(std::string mountpoint)
    : mountpoint_(std::move(mountpoint)), thread_([this] {
        run();
        done_.store(true, std::memory_order_release);
      }) {
  ::pthread_setname_np(thread_.native_handle(), "tusk-unmount");
}

void Unmounting::run() const {
  {
    const Fd root(::open(mountpoint_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (root) ::syncfs(root.get());
  }
  // Lazily: programs may still have files open, and the driver is asked to end all the same.
  if (::umount2(mountpoint_.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) != 0 && errno == EPERM) {
    run_fusermount(mountpoint_);
  }
}

}  // namespace tusk::fuse
