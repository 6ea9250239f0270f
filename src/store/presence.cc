#include "presence.h"

#include "mount_rows.h"

namespace tusk::store {
namespace {

// For people.
constexpr auto kLookWho = std::chrono::seconds(1);
constexpr auto kTryAlone = std::chrono::milliseconds(200);

}  // namespace

PresenceWatch::PresenceWatch(MountId mount, bool is_alone,
                             std::function<void(std::move_only_function<void(Delegate&)>)> tell)
    : mount_(mount),
      tell_(std::move(tell)),
      turns_(mount),
      has_others_(!is_alone),
      is_present_(!is_alone),
      state_(is_alone ? State::alone : State::shared) {}

void PresenceWatch::want(State from, State to) {
  const std::lock_guard lock(mutex_);
  if (state_ == from) state_ = to;
}

void PresenceWatch::wake() {
  want(State::resting, State::waking);
  want(State::asleep, State::waking);
}

PresenceWatch::State PresenceWatch::state() const {
  const std::lock_guard lock(mutex_);
  return state_;
}

void PresenceWatch::set(State state) {
  const std::lock_guard lock(mutex_);
  state_ = state;
}

bool PresenceWatch::is_pressing() const {
  const State now = state();
  return now == State::asked || now == State::sharing || now == State::resting ||
         now == State::waking;
}

std::vector<OtherMount> PresenceWatch::others() const {
  const std::lock_guard lock(mutex_);
  return others_;
}

// Who was alone may have been followed by others.
PgExpected<void> PresenceWatch::take(Connection& connection) {
  const Params mount = Params().add(mount_.tenant).add(mount_.epoch);
  TRY(connection.run("end_old_watch", mount));
  TRY(connection.run("note_watch", mount));
  is_present_ = false;
  const State was = state();
  set(was == State::asleep || was == State::resting ? State::asleep : State::waking);
  return {};
}

PgExpected<void> PresenceWatch::look(Connection& connection) {
  switch (state()) {
    case State::alone:
      TRY(look_whether_asked(connection));
      break;
    case State::asked:
    case State::asleep:
      break;
    case State::sharing:
      TRY(share(connection));
      break;
    case State::shared:
      TRY(try_alone(connection));
      break;
    case State::resting:
      TRY(rest(connection));
      break;
    case State::waking:
      TRY(wake(connection));
      break;
  }
  return look_who(connection);
}

PgExpected<void> PresenceWatch::look_whether_asked(Connection& connection) {
  TRY_ASSIGN(const PgResult found, connection.run("look_around", Params().add(mount_.tenant)));
  if (!found.row(0).boolean(0)) return {};
  set(State::asked);
  tell_([](Delegate& delegate) { delegate.asked_to_share(); });
  return {};
}

// Others come in once this mount is no longer alone; by then it knows of them.
PgExpected<void> PresenceWatch::share(Connection& connection) {
  has_others_.store(true, std::memory_order_release);
  const Params tree = Params().add(mount_.tenant);
  TRY(connection.run("be_present", tree));
  is_present_ = true;
  TRY(connection.run("end_being_alone", tree));
  set(State::shared);
  tell_([](Delegate& delegate) { delegate.presence(Presence::shared); });
  return {};
}

PgExpected<void> PresenceWatch::try_alone(Connection& connection) {
  const auto now = std::chrono::steady_clock::now();
  if (now - tried_alone_ < kTryAlone) return {};
  tried_alone_ = now;
  const Params tree = Params().add(mount_.tenant);
  TRY_ASSIGN(const PgResult taken, connection.run("be_alone", tree));
  if (!taken.row(0).boolean(0)) return {};
  TRY_ASSIGN(const PgResult locked,
             connection.run("other_locks", Params().add(mount_.tenant).add(mount_.epoch)));
  if (locked.row(0).boolean(0)) {
    TRY(connection.run("end_being_alone", tree));
    return {};
  }
  TRY(connection.run("end_being_present", tree));
  is_present_ = false;
  TRY(count_others(connection));
  set(State::alone);
  tell_([](Delegate& delegate) { delegate.presence(Presence::alone); });
  return {};
}

// It may be wanted again meanwhile.
PgExpected<void> PresenceWatch::rest(Connection& connection) {
  TRY(connection.run("end_being_present", Params().add(mount_.tenant)));
  is_present_ = false;
  want(State::resting, State::asleep);
  return {};
}

PgExpected<void> PresenceWatch::wake(Connection& connection) {
  if (!is_present_) {
    TRY_ASSIGN(is_present_, turns_.wait(connection, "be_present"));
  }
  if (!is_present_) return {};
  has_others_.store(true, std::memory_order_release);
  set(State::shared);
  tell_([](Delegate& delegate) { delegate.presence(Presence::shared); });
  return {};
}

// While nobody else looks: who comes later waits, and is counted then.
PgExpected<void> PresenceWatch::count_others(Connection& connection) {
  TRY_ASSIGN(const PgResult counted,
             connection.run("other_mounts", Params().add(mount_.tenant).add(mount_.epoch)));
  has_others_.store(counted.row(0).integer(0) > 0, std::memory_order_release);
  return {};
}

PgExpected<void> PresenceWatch::look_who(Connection& connection) {
  if (!has_others()) {
    const std::lock_guard lock(mutex_);
    others_.clear();
    return {};
  }
  const auto now = std::chrono::steady_clock::now();
  if (now - looked_who_ < kLookWho) return {};
  looked_who_ = now;
  TRY_ASSIGN(auto found, mounts_of(connection, mount_.tenant));
  std::vector<OtherMount> others;
  for (MountRow& row : found)
    if (row.epoch != mount_.epoch) others.push_back(std::move(row.mount));
  const std::lock_guard lock(mutex_);
  others_ = std::move(others);
  return {};
}

}  // namespace tusk::store
