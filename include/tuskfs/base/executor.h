// Where and when the core thread's work runs. Production: Reactor. Simulation: a seeded schedule.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>

namespace tusk {

using Task = std::move_only_function<void()>;

// Nanoseconds since the Unix epoch, as files carry them.
struct WallTime {
  std::int64_t ns = 0;
  auto operator<=>(const WallTime&) const = default;
};

using MonotonicTime = std::chrono::nanoseconds;  // since an arbitrary start

class Executor {
 public:
  virtual ~Executor() = default;

  // Runs `task` on the core thread, after the work in hand. The one call that any thread may make.
  virtual void post(Task task) = 0;

  // Runs `task` on the core thread once `delay` has passed. Core thread only.
  virtual void after(std::chrono::nanoseconds delay, Task task) = 0;

  virtual MonotonicTime now() const = 0;
  virtual WallTime wall_now() const = 0;
  // 64 random bits: system randomness in production, the printed seed in a simulation.
  virtual std::uint64_t random() = 0;
};

}  // namespace tusk
