// Whether what was read from a register (a file that is replaced whole) is what somebody may have
// read: every value is written once, so the check is polynomial.
//
// Writes have one order, which is that of real time where they do not overlap. A read returns one
// that is not older than any write answered before the read began, and was asked for before the
// read ended: close-to-open. With Order::atomic reads obey one order among each other, too, also
// those of values whose write was not answered yet (Gibbons and Korach, "Testing shared memories").
#pragma once

#include <string>
#include <vector>

#include "support/history.h"

namespace tusk::test {

struct RegisterWrite {
  std::string value = {};
  Span span = {};
  // Nothing is there from some moment of the span on until the value is: O_TRUNC, then write.
  bool empties = false;
  // Of one that was cut short: when its writer was told so.
  Moment told = kNever;
  // Reads that may lag have to show it from then on; earlier than the answer means: at once.
  Moment shown = kLongAgo;
};

struct RegisterRead {
  std::string value = {};  // empty: nothing was there
  Span span = {};
  bool may_lag = false;
  std::string by = {};
};

struct RegisterHistory {
  std::string name;
  std::string first;  // the value before all others
  std::vector<RegisterWrite> writes;
  std::vector<RegisterRead> reads;
};

enum class Order { close_to_open, atomic };

// One line for each thing that cannot have been.
std::vector<std::string> faults_of(const RegisterHistory& history, Order order);

}  // namespace tusk::test
