#include "delegation.h"

#include <pthread.h>
#include <unistd.h>

#include "session.h"
#include "tuskfs/base/log.h"

namespace tusk::store {
namespace {

using std::chrono::milliseconds;

// Whoever wants to write waits half of this on average.
constexpr auto kLook = milliseconds(50);
constexpr auto kLookLately = milliseconds(5);
constexpr auto kLately = std::chrono::seconds(2);
constexpr auto kLookForReferences = milliseconds(500);
constexpr auto kRetry = milliseconds(200);
// Who keeps the mount from writing for longer is named in the log.
constexpr auto kLong = std::chrono::seconds(5);

}  // namespace

Delegation::Delegation(Executor& executor, const ConnectionContext& like, TenantId tenant,
                       std::int64_t last_change, std::function<void()> lost)
    : executor_(executor), tenant_(tenant), lost_(std::move(lost)), last_change_(last_change) {
  context_.conninfo = like.conninfo;
  context_.stop_event = Fd(::dup(like.stop_event.get()));
  thread_ = std::jthread([this](const std::stop_token& stop) { watch(stop); });
  ::pthread_setname_np(thread_.native_handle(), "tusk-delegate");
}

void Delegation::stop() {
  *delegate_ = nullptr;
  thread_.request_stop();
  if (thread_.joinable()) thread_.join();
}

template <class Fn>
void Delegation::tell(Fn fn) {
  executor_.post([delegate = delegate_, fn = std::move(fn)]() mutable {
    if (*delegate) fn(**delegate);
  });
}

void Delegation::give(Committer& committer) {
  committer.give_delegation();
  const std::lock_guard lock(mutex_);
  state_ = State::lent;
  told_.clear();
}

void Delegation::take(Committer& committer) {
  std::unique_lock lock(mutex_);
  state_ = State::wanted;
  told_who_ = false;
  since_ = executor_.now();
  const std::stop_token stop = thread_.get_stop_token();
  while (!stop.stop_requested()) {
    lock.unlock();
    auto back = committer.take_delegation();
    lock.lock();
    if (!back) {
      wake_.wait_for(lock, stop, kRetry, [] { return false; });
      continue;
    }
    state_ = State::held;
    since_ = executor_.now();
    last_change_ = back->last_change;
    tell([back = std::move(*back)](Delegate& delegate) mutable {
      delegate.returned(std::move(back.changed), back.usage);
    });
    return;
  }
}

void Delegation::tell_missed(std::vector<Uuid> ids) {
  if (ids.empty()) return;
  tell([ids = std::move(ids)](Delegate& delegate) mutable { delegate.changed(std::move(ids)); });
}

void Delegation::watch(const std::stop_token& stop) {
  std::unique_ptr<Connection> connection;
  while (!stop.stop_requested()) {
    if (!connection || !connection->alive()) {
      auto opened = open_session(context_);
      connection = opened ? std::move(*opened) : nullptr;
    }
    if (connection) {
      look(*connection);
      look_for_references(*connection);
    }
    std::unique_lock lock(mutex_);
    wake_.wait_for(lock, stop, connection ? pause() : kRetry, [] { return false; });
  }
}

// Who has just written is likely to write again.
std::chrono::milliseconds Delegation::pause() const {
  const bool lately = since_ != MonotonicTime{} && executor_.now() - since_ < kLately;
  return state_ == State::held && lately ? kLookLately : kLook;
}

void Delegation::look(Connection& connection) {
  std::unique_lock lock(mutex_);
  const State state = state_;
  lock.unlock();
  if (state == State::recalled) return;
  if (state != State::held) {
    look_for_changes(connection);
    if (state == State::wanted) tell_who_writes(connection);
    return;
  }
  const auto wanted = connection.run("delegation_wanted", Params().add(tenant_));
  if (!wanted) return;
  lock.lock();
  if (state_ != State::held || is_checking_) return;
  if (!wanted->row(0).boolean(1)) {
    is_checking_ = true;
    lock.unlock();
    return lost_();
  }
  if (!wanted->row(0).boolean(0)) return;
  state_ = State::recalled;
  tell([](Delegate& delegate) { delegate.recalled(); });
}

// Nobody tells that a foreign key was made.
void Delegation::look_for_references(Connection& connection) {
  const MonotonicTime now = executor_.now();
  if (references_seen_ != MonotonicTime{} && now - references_seen_ < kLookForReferences) return;
  references_seen_ = now;
  const auto found = connection.run("has_references", Params().add(tenant_));
  if (found) has_references_.store(found->row(0).boolean(0), std::memory_order_relaxed);
}

void Delegation::checked() {
  const std::lock_guard lock(mutex_);
  is_checking_ = false;
}

// Numbers are given before they are committed: later ones may be seen before earlier ones.
void Delegation::look_for_changes(Connection& connection) {
  std::unique_lock lock(mutex_);
  const std::int64_t since = last_change_;
  lock.unlock();
  const auto found = connection.run("changes_since", Params().add(since));
  if (!found) return;
  lock.lock();
  if (state_ == State::held || last_change_ != since) return;
  std::vector<Uuid> ids;
  for (int i = 0; i < found->rows(); i++) {
    if (told_.insert(found->row(i).integer(1)).second) ids.push_back(found->row(i).uuid(0));
  }
  if (ids.empty()) return;
  // Under the lock, so that it is told before the delegation is back.
  tell([ids = std::move(ids)](Delegate& delegate) mutable { delegate.changed(std::move(ids)); });
}

void Delegation::tell_who_writes(Connection& connection) {
  {
    const std::lock_guard lock(mutex_);
    if (told_who_ || executor_.now() - since_ < kLong) return;
    told_who_ = true;
  }
  const auto found = connection.run("delegation_holder", Params().add(tenant_));
  if (!found || found->rows() == 0) return;
  const Row who = found->row(0);
  log::warning(
      "changes wait: an SQL transaction is writing in this tree for {} s (backend {}, user {}, "
      "application '{}', {})",
      who.integer(4), who.integer(0), who.text(1), who.text(2), who.text(3));
}

}  // namespace tusk::store
