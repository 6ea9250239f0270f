#include "cli/asking.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "tuskfs/base/fd.h"

namespace tusk::cli {
namespace {

constexpr std::size_t kLongestStatus = 65536;

void become_owner(const MountEntry& mount) {
  if (::geteuid() != 0 || mount.uid == 0) return;
  if (::setgroups(0, nullptr) != 0 || ::setresgid(mount.gid, mount.gid, mount.gid) != 0 ||
      ::setresuid(mount.uid, mount.uid, mount.uid) != 0)
    ::_exit(1);
}

// An answer crosses the pipe as "errno\ntext".
void send(int pipe, const Result<std::string>& answer) {
  const std::string text = answer ? fmt::format("0\n{}", *answer)
                                  : fmt::format("{}\n{}", answer.error().code, answer.error().what);
  std::size_t sent = 0;
  while (sent < text.size()) {
    const ssize_t n = ::write(pipe, text.data() + sent, text.size() - sent);
    if (n <= 0) return;
    sent += static_cast<std::size_t>(n);
  }
}

Result<std::string> receive(int pipe, std::chrono::milliseconds timeout) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  std::string text;
  std::array<char, 4096> buffer;
  while (true) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        deadline - std::chrono::steady_clock::now());
    const int patience = timeout.count() == 0 ? -1 : static_cast<int>(std::max(left.count(), 0l));
    pollfd readable{pipe, POLLIN, 0};
    const int ready = ::poll(&readable, 1, patience);
    if (ready < 0 && errno == EINTR) continue;
    if (ready == 0) return fail(ETIMEDOUT, "the driver does not answer");
    const ssize_t n = ::read(pipe, buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    text.append(buffer.data(), static_cast<std::size_t>(n));
  }
  const std::size_t end = text.find('\n');
  if (end == std::string::npos) return fail(EIO, "the mount cannot be asked");
  const int code = std::atoi(text.c_str());
  if (code != 0) return fail(code, text.substr(end + 1));
  return text.substr(end + 1);
}

Result<std::string> get_status(const std::string& target) {
  std::string text(kLongestStatus, '\0');
  const ssize_t n = ::getxattr(target.c_str(), kStatusXattr, text.data(), text.size());
  if (n < 0) return fail(errno, fmt::format("cannot ask {}: {}", target, std::strerror(errno)));
  text.resize(static_cast<std::size_t>(n));
  return text;
}

}  // namespace

Result<std::string> ask_as_owner(const MountEntry& mount, std::chrono::milliseconds timeout,
                                 const std::function<Result<std::string>()>& question) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return fail(errno, std::strerror(errno));
  const Fd reading(ends[0]);
  Fd writing(ends[1]);
  const pid_t pid = ::fork();
  if (pid < 0) return fail(errno, std::strerror(errno));
  if (pid == 0) {
    become_owner(mount);
    send(writing.get(), question());
    ::_exit(0);
  }
  writing.reset();
  auto answer = receive(reading.get(), timeout);
  ::kill(pid, SIGKILL);
  // A child caught in the kernel ends when it can; we do not wait for that.
  ::waitpid(pid, nullptr, answer ? 0 : WNOHANG);
  return answer;
}

Result<std::string> status_text_of(const MountEntry& mount, std::chrono::milliseconds timeout) {
  return ask_as_owner(mount, timeout, [&mount] { return get_status(mount.target); });
}

}  // namespace tusk::cli
