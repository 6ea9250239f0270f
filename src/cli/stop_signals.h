// SIGTERM, SIGINT and (in the foreground) SIGHUP, received by a thread of their own.
#pragma once

#include <functional>
#include <thread>

#include "tuskfs/base/fd.h"
#include "tuskfs/base/result.h"

namespace tusk::cli {

class StopSignals {
 public:
  // Blocks the signals; must come before other threads, which inherit that.
  static Result<StopSignals> block(bool with_hangup);
  // Calls `on_signal`, on another thread, when the first of them comes.
  void watch(std::function<void()> on_signal);
  // Ends the thread; a call in progress is waited for.
  void end();

 private:
  StopSignals(Fd signals, Fd end) : signals_(std::move(signals)), end_(std::move(end)) {}
  Fd signals_, end_;
  std::jthread thread_;
};

}  // namespace tusk::cli
