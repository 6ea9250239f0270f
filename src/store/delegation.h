// The delegation of a tree as its mount has it. The session that commits holds it, so that a commit
// and the right to it cannot be apart. A thread with a connection of its own asks, again and again,
// whether somebody else waits for it, as the server tells nobody; while it is lent, it tells what
// the others have committed.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "committer.h"
#include "connection.h"
#include "tuskfs/base/executor.h"
#include "tuskfs/store/store.h"

namespace tusk::store {

class Delegation {
 public:
  // `last_change`: of those that were committed when the tree was taken.
  // `lost` is called when the session that should hold the delegation does not: it is to be looked
  // after (see checked()).
  Delegation(Executor& executor, const ConnectionContext& like, TenantId tenant,
             std::int64_t last_change, std::function<void()> lost);
  ~Delegation() { stop(); }
  Delegation(const Delegation&) = delete;
  Delegation& operator=(const Delegation&) = delete;

  // On the core thread.
  void set_delegate(Delegate* delegate) { *delegate_ = delegate; }
  // On the committing thread. take() returns once those who write have ended.
  void give(Committer& committer);
  void take(Committer& committer);
  void tell_missed(std::vector<Uuid> ids);
  // As of the last look, by any thread. See Store.
  bool has_references() const { return has_references_.load(std::memory_order_relaxed); }
  // What was lost was looked after.
  void checked();
  // Nobody is told of anything any more, `lost` is not called, and who takes does not wait. After
  // stop_waiting() of the context it was made like.
  void stop();

 private:
  enum class State { held, recalled, lent, wanted };

  void watch(const std::stop_token& stop);
  void look(Connection& connection);
  void look_for_references(Connection& connection);
  void look_for_changes(Connection& connection);
  std::chrono::milliseconds pause() const;
  void tell_who_writes(Connection& connection);
  template <class Fn>
  void tell(Fn fn);

  Executor& executor_;
  ConnectionContext context_;
  const TenantId tenant_;
  const std::function<void()> lost_;
  // Shared with what is on its way to the core thread.
  const std::shared_ptr<Delegate*> delegate_ = std::make_shared<Delegate*>(nullptr);

  std::atomic<bool> has_references_ = false;
  MonotonicTime references_seen_{};  // of the watching thread
  std::mutex mutex_;
  std::condition_variable_any wake_;
  State state_ = State::held;    // guarded by mutex_
  std::int64_t last_change_;     // guarded by mutex_; known to the core when it was held last
  std::set<std::int64_t> told_;  // guarded by mutex_; those above it that the core knows
  MonotonicTime since_{};        // guarded by mutex_; when it was wanted back, or came back
  bool is_checking_ = false;     // guarded by mutex_
  bool told_who_ = false;        // guarded by mutex_
  std::jthread thread_;
};

}  // namespace tusk::store
