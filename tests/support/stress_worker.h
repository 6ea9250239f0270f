// One of the workers of a stress test on a mount: it does something at random and notes what came
// of it.
#pragma once

#include <random>
#include <string>

#include "support/stress_history.h"

namespace tusk::test {

class StressWorker {
 public:
  StressWorker(Histories& histories, std::string by, std::uint64_t seed, int place = 0)
      : histories_(histories), by_(std::move(by)), random_(seed), place_(place) {}

  // Below the folder that `root` is open on, which has the cells and the names. False: it was cut
  // short.
  bool write(int root, const Cell& cell);
  bool read(int root, const Cell& cell, bool may_lag = false);
  bool change_names(int root);
  // The same without folders.
  bool change_files(int root);
  bool look(int root, int name);

  std::uint64_t below(std::uint64_t bound) { return random_() % bound; }
  const Cell& some_cell() { return histories_.cells()[below(histories_.cells().size())]; }
  // Of no other write of the test.
  std::string new_value() { return by_ + "." + std::to_string(++count_); }

 private:
  NameStep some_step();
  bool change(int root, NameStep step);
  bool note(NameStep step, int outcome);

  Histories& histories_;
  std::string by_;
  std::mt19937_64 random_;
  int place_;
  int count_ = 0;
};

}  // namespace tusk::test
