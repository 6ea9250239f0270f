#include "cli/daemon.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "cli/report.h"
#include "cli/verbs.h"

namespace tusk::cli {
namespace {

constexpr std::string_view kReady = "ready";

// What the child has written until it closed its end.
std::string listen(int pipe) {
  std::string text;
  std::array<char, 1024> buffer;
  while (true) {
    const ssize_t n = ::read(pipe, buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return text;
    text.append(buffer.data(), static_cast<std::size_t>(n));
  }
}

[[noreturn]] void wait_for_child(const Fd& pipe) {
  const std::string said = listen(pipe.get());
  if (said == kReady) ::_exit(kDone);
  complain(said.empty() ? "the driver died while it started; see its log" : said);
  ::_exit(kFailed);
}

void say(int pipe, std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = ::write(pipe, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return;
    text.remove_prefix(static_cast<std::size_t>(n));
  }
}

void leave_terminal() {
  const Fd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    if (null) ::dup2(null.get(), stream);
}

}  // namespace

Result<Daemon> Daemon::fork_off() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0)
    return fail(errno, fmt::format("cannot start the driver: {}", std::strerror(errno)));
  Fd reading(ends[0]), writing(ends[1]);
  std::fflush(nullptr);
  const pid_t pid = ::fork();
  if (pid < 0) return fail(errno, fmt::format("cannot start the driver: {}", std::strerror(errno)));
  if (pid > 0) {
    writing.reset();
    wait_for_child(reading);
  }
  ::setsid();
  return Daemon(std::move(writing));
}

void Daemon::ready() {
  if (!detached()) return;
  if (::chdir("/") != 0) return;  // cannot fail
  leave_terminal();
  say(parent_.get(), kReady);
  parent_.reset();
}

void Daemon::failed(const Error& error) {
  if (!detached()) {
    report(error);
    return;
  }
  say(parent_.get(), one_line(error));
  parent_.reset();
}

}  // namespace tusk::cli
