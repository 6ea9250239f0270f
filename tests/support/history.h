// What concurrent workers did and saw, with the times, for the checkers of histories.
#pragma once

#include <chrono>
#include <cstdint>
#include <limits>

namespace tusk::test {

// Nanoseconds of the steady clock: one process records, so one clock orders all it saw.
using Moment = std::int64_t;
inline constexpr Moment kLongAgo = std::numeric_limits<Moment>::min();
inline constexpr Moment kNever = std::numeric_limits<Moment>::max();

inline Moment moment_now() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

// From before an operation was asked for until after it was answered; open-ended (kNever) when it
// was cut short: it may take effect at any later time, or never.
struct Span {
  Moment begun = kLongAgo;
  Moment ended = kNever;
};

}  // namespace tusk::test
