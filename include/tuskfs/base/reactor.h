// The production Executor: a queue with an eventfd and a heap of timers, driven by the thread that
// also drains /dev/fuse.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <vector>

#include "tuskfs/base/executor.h"
#include "tuskfs/base/fd.h"
#include "tuskfs/base/result.h"

namespace tusk {

class Reactor final : public Executor {
 public:
  static Result<std::unique_ptr<Reactor>> create();

  void post(Task task) override;
  void after(std::chrono::nanoseconds delay, Task task) override;
  MonotonicTime now() const override;
  WallTime wall_now() const override;
  std::uint64_t random() override;

  // Readable when post() has queued work; for the owner's poll().
  int event_fd() const { return event_.get(); }
  // Cheap enough to ask while spinning.
  bool has_posted() const { return posted_.load(std::memory_order_acquire); }
  // Runs everything posted and every timer that is due. Core thread only.
  void run_ready();
  // For owners without a loop of their own: waits for work, `at_most` so long, and runs it.
  void wait_and_run(std::chrono::nanoseconds at_most);
  // When the earliest timer is due.
  std::optional<MonotonicTime> next_deadline() const;

 private:
  struct Timer {
    MonotonicTime due;
    std::uint64_t order;
    Task task;
  };

  static bool later(const Timer& a, const Timer& b);
  explicit Reactor(Fd event) : event_(std::move(event)) {}

  Fd event_;
  std::atomic<bool> posted_ = false;
  std::mutex mutex_;
  std::vector<Task> queue_;    // guarded by mutex_
  std::vector<Timer> timers_;  // heap, core thread only
  std::uint64_t timer_count_ = 0;
  std::mt19937_64 random_{std::random_device{}()};
};

}  // namespace tusk
