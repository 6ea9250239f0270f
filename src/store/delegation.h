// The delegation of a tree as its mount has it. The session that commits holds it, so that a commit
// and the right to it cannot be apart. A thread with a connection of its own asks, again and again,
// whether somebody else waits for it, as the server tells nobody; while it is away, it tells what
// the others have committed. It holds the mount's presence as well (presence.h).
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "committer.h"
#include "connection.h"
#include "presence.h"
#include "tree_quota.h"
#include "tuskfs/base/executor.h"
#include "tuskfs/store/store.h"

namespace tusk::store {

// The session that looks out for others, and what it is opened anew with.
struct Lookout {
  std::unique_ptr<ConnectionContext> context;
  std::unique_ptr<Connection> connection;
};

class Delegation {
 public:
  // `lookout`: the session that take_tree() was given. `lost` is called when the session that
  // should hold the delegation does not: it is to be looked after (see checked()).
  Delegation(Executor& executor, Lookout lookout, const Lease& lease, std::function<void()> lost);
  ~Delegation() { stop(); }
  Delegation(const Delegation&) = delete;
  Delegation& operator=(const Delegation&) = delete;

  // On the core thread.
  void set_delegate(Delegate* delegate) { *delegate_ = delegate; }
  // On the committing thread. take() returns once those who write have ended.
  void give(Committer& committer);
  void take(Committer& committer);
  // It was lost for a while, and others wrote.
  void recall();
  PresenceWatch& presence() { return presence_; }
  const PresenceWatch& presence() const { return presence_; }
  // Has the watching thread look at once.
  void look_soon();
  // What is to be asked for others' changes, and the answer: by any thread.
  Params question() const;
  void learn(const OthersChanges& found);
  // As of the last look, by any thread. See Store.
  bool has_references() const { return has_references_.load(std::memory_order_relaxed); }
  KnownQuota& quota() { return quota_; }
  const KnownQuota& quota() const { return quota_; }
  // Whether it is with the delegation and the presence as the core was told, as of a moment ago: a
  // process that was frozen has not heard what it lost meanwhile. Any thread.
  bool is_certain() const;
  // Who it was last given up for, and when. Any thread.
  std::pair<Writer, WallTime> lent() const;
  // What was lost was looked after.
  void checked();
  // Nobody is told of anything any more, `lost` is not called, and who takes does not wait.
  void stop();
  // After stop(), on any thread: the presence ends. What was asked last may not have been answered,
  // and holds rows until then.
  void hang_up();

 private:
  enum class State { held, recalled, lent, wanted };

  void watch(const std::stop_token& stop);
  void reopen();
  void wait();
  bool take_notices(Connection& connection);
  bool look(Connection& connection);
  void say_seen(Connection& connection);
  void look_for_settings(Connection& connection);
  bool look_for_changes(Connection& connection);
  std::chrono::milliseconds pause() const;
  void tell_who_writes(Connection& connection);
  void note_who_waits(Connection& connection);
  template <class Fn>
  void tell(Fn fn);

  Executor& executor_;
  Lookout lookout_;  // its connection is the watching thread's
  Fd wake_event_;    // for the watching thread
  const MountId mount_;
  const std::function<void()> lost_;
  // Shared with what is on its way to the core thread.
  const std::shared_ptr<Delegate*> delegate_ = std::make_shared<Delegate*>(nullptr);

  std::atomic<bool> has_references_ = false;
  std::atomic<MonotonicTime> known_at_;
  KnownQuota quota_;
  MonotonicTime settings_seen_{}, said_seen_{}, noted_who_{};  // of the watching thread
  mutable std::mutex mutex_;
  std::condition_variable_any wake_;
  State state_ = State::held;         // guarded by mutex_
  KnownChanges told_;                 // guarded by mutex_; what the core knows
  MonotonicTime since_{};             // guarded by mutex_; when it was wanted back, or came back
  bool is_checking_ = false;          // guarded by mutex_
  bool told_who_ = false;             // guarded by mutex_
  std::pair<Writer, WallTime> lent_;  // guarded by mutex_
  PresenceWatch presence_;
  std::jthread thread_;
};

}  // namespace tusk::store
