// What the workers of a stress test share: registers with their values, and all that was done.
#pragma once

#include <chrono>
#include <mutex>
#include <string>
#include <vector>

#include "support/names_check.h"
#include "support/register_check.h"

namespace tusk::test {

// $TUSKFS_SEED, else a new one; printed, so that a run can be had again.
std::uint64_t stress_seed();
// $TUSKFS_STRESS_SECONDS, else what fits a suite that is run all the time.
std::chrono::seconds stress_time(std::chrono::seconds otherwise);

// A file that is always replaced whole.
struct Cell {
  enum class Way {
    in_place,  // O_TRUNC, write, close: always the same length, so that two at a time do not mix
    swapped,   // written beside and renamed over it
    swapped_kept,  // the same, while what was there keeps a second name
  };
  std::string name;
  Way way;
};

// The bytes that stand for a value, which says so itself: what is not whole is recognised.
std::string body_of(const Cell& cell, const std::string& value);
// Empty for no bytes; what is no whole body is told, and is nobody's value.
std::string value_of(const Cell& cell, const std::string& body);

class Histories {
 public:
  explicit Histories(std::vector<Cell> cells, NameSpace names = {});

  static constexpr const char* kFirstValue = "first";
  const std::vector<Cell>& cells() const { return cells_; }
  const NameSpace& names() const { return names_; }

  void add(const Cell& cell, RegisterWrite write);
  void add(const Cell& cell, RegisterRead read);
  void add(NameStep step);
  // What must not happen whatever the order.
  void surprise(const std::string& what);
  // Whether operations may be cut short at present: then it is no surprise.
  void expect_cuts(bool expected) { cuts_expected_ = expected; }
  void cut_short(const std::string& what);
  // All that was cut short is decided: what of it has not happened will not.
  void settled(Moment at);

  struct Counts {
    std::size_t writes = 0, reads = 0, changes = 0, refusals = 0, cut = 0;
  };
  Counts counts() const;
  // Everything that cannot have been.
  std::vector<std::string> faults(Order order, Moment names_lag) const;

 private:
  RegisterHistory& of(const Cell& cell);
  std::vector<NameStep> decided_steps() const;

  const std::vector<Cell> cells_;
  const NameSpace names_;
  mutable std::mutex mutex_;
  std::vector<RegisterHistory> registers_;
  std::vector<NameStep> steps_;
  std::vector<std::string> surprises_;
  bool cuts_expected_ = false;
  std::size_t cut_ = 0;
};

}  // namespace tusk::test
