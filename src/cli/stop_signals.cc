#include "cli/stop_signals.h"

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace tusk::cli {

Result<StopSignals> StopSignals::block(bool with_hangup) {
  sigset_t set;
  ::sigemptyset(&set);
  ::sigaddset(&set, SIGTERM);
  ::sigaddset(&set, SIGINT);
  if (with_hangup) ::sigaddset(&set, SIGHUP);
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  if (!with_hangup) ::signal(SIGHUP, SIG_IGN);
  Fd signals(::signalfd(-1, &set, SFD_CLOEXEC));
  Fd end(::eventfd(0, EFD_CLOEXEC));
  if (!signals || !end) return fail(errno, std::strerror(errno));
  return StopSignals(std::move(signals), std::move(end));
}

void StopSignals::watch(std::function<void()> on_signal) {
  thread_ =
      std::jthread([signals = signals_.get(), end = end_.get(), on_signal = std::move(on_signal)] {
        std::array<pollfd, 2> fds{pollfd{signals, POLLIN, 0}, pollfd{end, POLLIN, 0}};
        while (::poll(fds.data(), fds.size(), -1) < 0 && errno == EINTR) {
        }
        if ((fds[0].revents & POLLIN) != 0) on_signal();
      });
}

void StopSignals::end() {
  const std::uint64_t one = 1;
  if (::write(end_.get(), &one, sizeof one) < 0) return;
  if (thread_.joinable()) thread_.join();
}

}  // namespace tusk::cli
