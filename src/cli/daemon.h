// Leaving the terminal once all is well, and not before.
#pragma once

#include <string>

#include "tuskfs/base/fd.h"
#include "tuskfs/base/result.h"

namespace tusk::cli {

class Daemon {
 public:
  // Forks; must come before threads and connections. Returns in the child; the parent ends with
  // what the child comes to: 0 once ready(), else 1 and the line of failed() on stderr.
  static Result<Daemon> fork_off();
  // For the foreground: nothing to leave.
  Daemon() = default;

  bool detached() const { return static_cast<bool>(parent_); }
  // Lets the parent go and leaves terminal, session and working folder.
  void ready();
  void failed(const Error& error);

 private:
  explicit Daemon(Fd parent) : parent_(std::move(parent)) {}
  Fd parent_;
};

}  // namespace tusk::cli
