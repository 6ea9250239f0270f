// Whether this mount looks at its tree alone. Mounts share an advisory lock, their presence, while
// they look; one that nobody shares it with takes it for itself. The session that looks out for
// others holds it.
//
// The core thread says what it wants; the watching thread does it at its next look.
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "connection.h"
#include "turns.h"
#include "tuskfs/store/store.h"

namespace tusk::store {

class PresenceWatch {
 public:
  // `tell` passes a call on to the core thread. `is_alone`: as the mount begins, while the session
  // it was attached with looks out.
  PresenceWatch(MountId mount, bool is_alone,
                std::function<void(std::move_only_function<void(Delegate&)>)> tell);

  // On the core thread.
  void share() { want(State::asked, State::sharing); }
  void rest() { want(State::shared, State::resting); }
  void wake();

  // On the watching thread. A new session has nothing yet: what was held is taken again.
  PgExpected<void> take(Connection& connection);
  PgExpected<void> look(Connection& connection);
  // Something is to be done, or is likely to be, soon.
  bool is_pressing() const;

  // Any thread. Whether what this mount changes is to be noted for others.
  bool has_others() const { return has_others_.load(std::memory_order_acquire); }
  std::vector<OtherMount> others() const;

 private:
  enum class State { alone, asked, sharing, shared, resting, asleep, waking };

  void want(State from, State to);
  State state() const;
  void set(State state);
  PgExpected<void> look_whether_asked(Connection& connection);
  PgExpected<void> share(Connection& connection);
  PgExpected<void> try_alone(Connection& connection);
  PgExpected<void> rest(Connection& connection);
  PgExpected<void> wake(Connection& connection);
  PgExpected<void> count_others(Connection& connection);
  PgExpected<void> look_who(Connection& connection);

  const MountId mount_;
  const std::function<void(std::move_only_function<void(Delegate&)>)> tell_;
  Turns turns_;
  std::atomic<bool> has_others_;
  std::chrono::steady_clock::time_point looked_who_{}, tried_alone_{};  // of the watching thread
  bool is_present_ = false;                                             // of the watching thread
  mutable std::mutex mutex_;
  State state_;                     // guarded by mutex_
  std::vector<OtherMount> others_;  // guarded by mutex_
};

}  // namespace tusk::store
