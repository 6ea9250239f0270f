// An Executor with a clock and a schedule of its own: what is ready runs in an order that the seed
// decides, and time passes only when nothing is ready.
#pragma once

#include <algorithm>
#include <random>
#include <vector>

#include "tuskfs/base/executor.h"

namespace tusk::testing {

class SimExecutor final : public Executor {
 public:
  explicit SimExecutor(std::uint64_t seed) : random_(seed) {}

  void post(Task task) override { ready_.push_back(std::move(task)); }
  void after(std::chrono::nanoseconds delay, Task task) override {
    timers_.push_back({now_ + delay, order_++, std::move(task)});
  }
  MonotonicTime now() const override { return now_; }
  WallTime wall_now() const override {
    return {1'700'000'000'000'000'000 + now_.count() + tick_++};
  }
  std::uint64_t random() override { return random_(); }

  // Posted tasks keep their order, as the production queue does. False: nothing was ready.
  bool run_one() {
    if (ready_.empty()) return false;
    Task task = std::move(ready_.front());
    ready_.erase(ready_.begin());
    task();
    return true;
  }
  void run_ready() {
    while (run_one()) {
    }
  }
  // Whoever posted died.
  void clear() {
    ready_.clear();
    timers_.clear();
  }
  // Lets time pass to the next timer, if it is due within `most`. False: none was.
  bool advance(std::chrono::nanoseconds most) {
    const auto next = std::ranges::min_element(
        timers_, {}, [](const Timer& t) { return std::pair(t.due, t.order); });
    if (next == timers_.end() || next->due > now_ + most) {
      now_ += most;
      return false;
    }
    now_ = std::max(now_, next->due);
    Task task = std::move(next->task);
    timers_.erase(next);
    task();
    return true;
  }

 private:
  struct Timer {
    MonotonicTime due;
    std::uint64_t order;
    Task task;
  };
  std::mt19937_64 random_;
  MonotonicTime now_{0};
  mutable std::int64_t tick_ = 0;  // no two times are the same
  std::uint64_t order_ = 0;
  std::vector<Task> ready_;
  std::vector<Timer> timers_;
};

}  // namespace tusk::testing
