// The core under tens of thousands of seeded schedules: loads and commits answer when they like,
// fail, or commit and say that they do not know; the driver and the server die. After each crash
// the store must hold exactly one of the states the tree has been in, no older than what was synced
// (P1–P3).
//
// TUSKFS_SEED=n replays one schedule; TUSKFS_SCHEDULES=n runs so many.
#include <gtest/gtest.h>

#include <cstdlib>

#include "support/sim_world.h"
#include "tuskfs/base/log.h"

namespace tusk::testing {
namespace {

std::uint64_t number_from(const char* variable, std::uint64_t otherwise) {
  const char* text = std::getenv(variable);
  return text ? std::strtoull(text, nullptr, 10) : otherwise;
}

TEST(Schedules, every_crash_leaves_one_state_no_older_than_the_last_sync) {
  log::configure({.file = "/dev/null"}).value();
  const std::uint64_t first = number_from("TUSKFS_SEED", 1);
  const std::uint64_t count =
      number_from("TUSKFS_SCHEDULES", std::getenv("TUSKFS_SEED") ? 1 : 20'000);
  for (std::uint64_t seed = first; seed < first + count; seed++) {
    World(seed).run();
    if (HasFatalFailure() || HasNonfatalFailure()) FAIL() << "replay with TUSKFS_SEED=" << seed;
  }
}

}  // namespace
}  // namespace tusk::testing
