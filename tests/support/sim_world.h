// One seeded schedule: a core over a MemStore, operations, and a model of what the tree should be.
#pragma once

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "support/mem_store.h"
#include "support/sim_executor.h"
#include "support/sim_model.h"
#include "tuskfs/core/filesystem.h"

namespace tusk::testing {

// A handle of the schedule's.
struct Open {
  int node = 0;
  Ino ino{};
  Handle handle{};
};

// A state the tree has been in.
struct Past {
  std::string published;
  Model model;
};

// Fails the running test, with the seed, when the core breaks a promise.
class World {
 public:
  explicit World(std::uint64_t seed);
  void run();

 private:
  static constexpr int kSteps = 120;
  static constexpr int kPatience = 20'000;  // turns an operation may take before it counts as stuck

  int pick(int n);
  std::string name();
  template <class T>
  const T& any(const std::vector<T>& of) {
    return of[static_cast<std::size_t>(pick(static_cast<int>(of.size())))];
  }
  void mount();
  // One thing that is not an operation happens.
  void turn();
  // Others come and go: what they change is as it was, and must be so afterwards.
  void others();
  Verdict verdict();
  template <class T>
  vfs::Reply<T> into(std::optional<vfs::Outcome<T>>& slot) {
    return [&slot](vfs::Outcome<T> outcome) { slot = std::move(outcome); };
  }
  // Turns until the operation has answered.
  template <class T>
  void settle(std::optional<vfs::Outcome<T>>& slot) {
    for (int i = 0; !slot; i++) {
      ASSERT_LT(i, kPatience) << "an operation is stuck, seed " << seed_;
      turn();
    }
  }
  // The number of a node that has a name, by looking it up as the kernel does.
  Ino ino(int node);
  Ino lookup(Ino parent, const std::string& entry);
  // TUSKFS_TRACE=1 tells a schedule's operations as they end.
  template <class T>
  void trace(const std::string& what, const vfs::Outcome<T>& outcome) {
    static const bool kTrace = std::getenv("TUSKFS_TRACE");
    if (!kTrace) return;
    std::fprintf(stderr, "%s: %d (state %zu)\n", what.c_str(), outcome ? 0 : outcome.error().value,
                 forgotten_ + past_.size() - 1);
  }
  template <class T>
  void expect(const std::optional<vfs::Outcome<T>>& out, int code, const std::string& what) {
    if (out) trace(what, *out);
    ASSERT_TRUE(out) << what << ", seed " << seed_;
    ASSERT_EQ(*out ? 0 : out->error().value, code) << what << ", seed " << seed_;
  }
  // The tree may have changed, and `nodes` with it.
  void remember(const std::vector<int>& nodes);
  void remember(int node = 0);
  // Nothing before the state of this number may come back.
  void forget_before(std::size_t number);
  void step();
  void do_create();
  std::string text();
  void do_write();
  void close(std::size_t i);
  void do_close();
  void do_fsync();
  void do_mkdir();
  void do_unlink();
  void do_rmdir();
  void do_rename();
  std::optional<int> some_file();
  void do_link();
  void do_truncate();
  void do_zero();
  void do_move();
  bool has_objects() const { return seed_ / 4 % 2 == 1; }
  void do_chmod();
  // Copies from the start of one open file to the start of another; what came across is published.
  void do_copy();
  // Makes an empty file or folder and has it become a clone.
  void do_clone();
  void check_content(Ino file, const std::string& want);
  void do_read();
  void check_tree(int folder);
  // The driver dies, perhaps in the middle of a commit, perhaps with the server.
  void crash();
  std::uint64_t seed_;
  std::mt19937_64 random_;
  SimExecutor executor_;
  MemStore store_;
  core::Options options_;
  std::unique_ptr<core::Filesystem> fs_;
  Model model_;
  std::map<int, Ino> inos_;
  std::vector<Open> open_;
  std::deque<Past> past_;               // states that a crash may bring back
  std::size_t forgotten_ = 0;           // how many states were before those
  std::map<int, std::size_t> changed_;  // node: number of the state that its last change made
  int stamp_ = 0;
};

}  // namespace tusk::testing
