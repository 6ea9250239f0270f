#include "support/sweeper.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>

namespace tusk::test {
namespace {

constexpr const char* kScript = TUSKFS_SOURCE_DIR "/tests/support/sweep.sh";

// Nothing of the test program's own stays open in it: who waits for the program's output would wait
// for the sweeper.
[[noreturn]] void become_sweeper(int in) {
  ::setsid();
  const int nowhere = ::open("/dev/null", O_WRONLY);
  ::dup2(in, 0);
  ::dup2(nowhere, 1);
  ::dup2(nowhere, 2);
  ::close_range(3, ~0U, 0);
  ::execl("/bin/bash", "bash", kScript, nullptr);
  ::_exit(127);
}

}  // namespace

Sweeper& Sweeper::of_this_program() {
  static Sweeper sweeper;
  return sweeper;
}

Sweeper::Sweeper() {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0)
    throw std::system_error(errno, std::generic_category(), "socketpair");
  to_sweeper_ = Fd(ends[0]);
  const Fd other(ends[1]);
  const pid_t pid = ::fork();
  if (pid < 0) throw std::system_error(errno, std::generic_category(), "fork");
  if (pid == 0) become_sweeper(other.get());
}

void Sweeper::tell(const std::string& line) const {
  const std::string text = line + "\n";
  if (::send(to_sweeper_.get(), text.data(), text.size(), MSG_NOSIGNAL) < 0)
    throw std::system_error(errno, std::generic_category(), kScript);
}

}  // namespace tusk::test
