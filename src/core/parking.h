// Verbs that must wait. A verb is an attempt: it either finishes, fails, or says what it waits for,
// before it has changed anything; then it is parked and attempted again when that has happened.
#pragma once

#include <sys/types.h>

#include <cerrno>
#include <cstdint>
#include <expected>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "tuskfs/base/executor.h"
#include "tuskfs/vfs/meter.h"
#include "tuskfs/vfs/vfs.h"

namespace tusk::core {

class Waiters;

// Why an attempt did not finish: an errno, or something to wait for.
struct Stop {
  int code = 0;
  Waiters* on = nullptr;
};

template <class T>
using Attempt = std::expected<T, Stop>;

inline std::unexpected<Stop> error(int code) { return std::unexpected(Stop{code, nullptr}); }
inline std::unexpected<Stop> wait_on(Waiters& waiters) {
  return std::unexpected(Stop{0, &waiters});
}

class Parked {
 public:
  virtual ~Parked() = default;
  // Tries again; null once answered, else what it now waits for.
  virtual Waiters* attempt() = 0;
  virtual void fail(int code) = 0;
  std::uint64_t token = 0;
  MonotonicTime deadline{};
  vfs::WaitFor what{};  // and since when
  MonotonicTime since{};
};

// What can be waited for: a load, a commit, room for dirty bytes; or the delegation. Belongs to one
// ParkingLot.
class Waiters {
 public:
  Waiters() = default;
  explicit Waiters(vfs::WaitFor what) : what_(what) {}
  bool empty() const { return ids_.empty(); }
  std::size_t size() const { return ids_.size(); }

 private:
  friend class ParkingLot;
  vfs::WaitFor what_ = vfs::WaitFor::database;
  std::vector<std::uint64_t> ids_;
};

class ParkingLot {
 public:
  // `patience`: how long an operation may wait for the database before it fails with EIO. `meter`:
  // told what calls waited for; may be null.
  ParkingLot(Executor& executor, std::chrono::nanoseconds patience, vfs::Meter* meter)
      : executor_(executor), patience_(patience), meter_(meter) {}

  // Runs `attempt` (copyable arguments by value) until it finishes, and answers `reply`.
  template <class T, class Fn>
  void run(std::uint64_t token, vfs::Reply<T> reply, Fn attempt);

  // Those who wait try again (code 0) or fail with `code`; they run after the work in hand.
  void wake(Waiters& waiters, int code = 0);
  void interrupt(std::uint64_t token);

 private:
  void park(std::unique_ptr<Parked> op, Waiters& on);
  void note_wait(const Parked& op);
  void attempt(std::unique_ptr<Parked> op);
  void drain();
  void watch_deadlines();

  Executor& executor_;
  std::chrono::nanoseconds patience_;
  vfs::Meter* meter_;
  std::uint64_t next_id_ = 1;
  std::map<std::uint64_t, std::unique_ptr<Parked>> parked_;
  std::vector<std::pair<std::unique_ptr<Parked>, int>> ready_;
  bool drain_posted_ = false;
  bool watching_ = false;
};

namespace internal {

template <class T, class Fn>
class ParkedAttempt final : public Parked {
 public:
  ParkedAttempt(vfs::Reply<T> reply, Fn attempt)
      : reply_(std::move(reply)), attempt_(std::move(attempt)) {}

  Waiters* attempt() override {
    auto result = attempt_();
    if (!result && result.error().on) return result.error().on;
    answer(std::move(result));
    return nullptr;
  }
  void fail(int code) override { reply_(vfs::error(code)); }

 private:
  void answer(Attempt<T> result) {
    if (!result) return reply_(vfs::error(result.error().code));
    if constexpr (std::is_void_v<T>) {
      reply_(vfs::Outcome<void>{});
    } else {
      reply_(std::move(*result));
    }
  }

  vfs::Reply<T> reply_;
  Fn attempt_;
};

}  // namespace internal

template <class T, class Fn>
void ParkingLot::run(std::uint64_t token, vfs::Reply<T> reply, Fn attempt) {
  internal::ParkedAttempt<T, Fn> first(std::move(reply), std::move(attempt));
  Waiters* on = first.attempt();
  if (!on) return;
  auto op = std::make_unique<internal::ParkedAttempt<T, Fn>>(std::move(first));
  op->token = token;
  op->deadline = executor_.now() + patience_;
  park(std::move(op), *on);
}

}  // namespace tusk::core

// Hands a stop (an errno or a wait) on, else yields the value.
#define ATTEMPT_CONCAT_(a, b) a##b
#define ATTEMPT_CONCAT(a, b) ATTEMPT_CONCAT_(a, b)
#define ATTEMPT_ASSIGN(target, expression)                              \
  auto ATTEMPT_CONCAT(attempt_, __LINE__) = (expression);               \
  if (!ATTEMPT_CONCAT(attempt_, __LINE__))                              \
    return std::unexpected(ATTEMPT_CONCAT(attempt_, __LINE__).error()); \
  target = std::move(*ATTEMPT_CONCAT(attempt_, __LINE__))
#define ATTEMPT(expression)                                  \
  do {                                                       \
    if (auto attempt_result = (expression); !attempt_result) \
      return std::unexpected(attempt_result.error());        \
  } while (false)
