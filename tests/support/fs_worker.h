// Processes that work on a mount until they are killed, and tell how far they came through memory
// that outlives them, the driver and the database.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <functional>

namespace tusk::test {

// Numbers of a worker's operations, counted from 1.
struct Progress {
  std::atomic<std::uint64_t> begun = 0;
  std::atomic<std::uint64_t> done = 0;
  // All up to here were followed by an fsync that returned 0.
  std::atomic<std::uint64_t> synced = 0;
  // The worker ends before its next operation.
  std::atomic<bool> enough = false;
};

class SharedProgress {
 public:
  SharedProgress();
  SharedProgress(const SharedProgress&) = delete;
  SharedProgress& operator=(const SharedProgress&) = delete;
  ~SharedProgress();
  Progress& operator*() const { return *progress_; }
  Progress* operator->() const { return progress_; }

 private:
  Progress* progress_;
};

class Worker {
 public:
  // Runs `body` in a child process; it ends when the body does or throws, or by kill().
  explicit Worker(const std::function<void()>& body);
  Worker(Worker&& other) noexcept;
  Worker& operator=(Worker&&) = delete;
  ~Worker() { kill(); }
  void kill();
  // Waits for the body's end; false: it threw.
  bool wait();
  bool running();

 private:
  pid_t pid_ = -1;
};

}  // namespace tusk::test
