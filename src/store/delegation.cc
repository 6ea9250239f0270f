#include "delegation.h"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "mount_rows.h"
#include "session.h"
#include "tuskfs/base/log.h"

namespace tusk::store {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

// Whoever wants to write waits half of this on average.
constexpr auto kLook = milliseconds(50);
constexpr auto kLookLately = milliseconds(10);
constexpr auto kLately = std::chrono::seconds(2);
constexpr auto kBreath = milliseconds(1);
// While others keep calling, as each of their commits does: a look costs all of us.
constexpr auto kApart = milliseconds(25);
// Who has waited for it can do something with it: else it would do little but change hands.
constexpr auto kTurn = milliseconds(10);
constexpr auto kLookForSettings = milliseconds(500);
constexpr auto kRetry = milliseconds(200);
// Who keeps the mount from writing for longer is named in the log.
constexpr auto kLong = std::chrono::seconds(5);
// For people.
constexpr auto kNoteWho = std::chrono::seconds(1);
constexpr std::string_view kLocks = "tusk_locks";
// Nobody takes it from a mount that was at work so lately (kSilentSeconds in turns.cc).
constexpr auto kCertain = std::chrono::seconds(3);
// While others wait, and else.
constexpr auto kSaySeen = std::chrono::seconds(1);
constexpr auto kSaySeenIdle = std::chrono::seconds(60);

}  // namespace

Delegation::Delegation(Executor& executor, Lookout lookout, const Lease& lease,
                       std::function<void()> lost)
    : executor_(executor),
      lookout_(std::move(lookout)),
      wake_event_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
      mount_(lease.mount()),
      lost_(std::move(lost)),
      told_(lease.known_to),
      presence_(lease.mount(), lease.attached.presence == Presence::alone,
                [this](std::move_only_function<void(Delegate&)> fn) { tell(std::move(fn)); }) {
  known_at_ = executor_.now();
  thread_ = std::jthread([this](const std::stop_token& stop) { watch(stop); });
  ::pthread_setname_np(thread_.native_handle(), "tusk-delegate");
}

void Delegation::stop() {
  *delegate_ = nullptr;
  thread_.request_stop();
  stop_waiting(*lookout_.context);
  look_soon();
  if (thread_.joinable()) thread_.join();
}

void Delegation::hang_up() { lookout_.connection.reset(); }

template <class Fn>
void Delegation::tell(Fn fn) {
  executor_.post([delegate = delegate_, fn = std::move(fn)]() mutable {
    if (*delegate) fn(**delegate);
  });
}

void Delegation::give(Committer& committer) {
  std::vector<Uuid> ids = committer.give_delegation();
  if (!ids.empty())
    tell([ids = std::move(ids)](Delegate& delegate) mutable { delegate.changed(std::move(ids)); });
  const std::lock_guard lock(mutex_);
  state_ = State::lent;
  look_soon();
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
    tell([ids = told_.learn(back->others), usage = back->usage](Delegate& delegate) mutable {
      delegate.returned(std::move(ids), usage);
    });
    return;
  }
}

void Delegation::recall() {
  const std::lock_guard lock(mutex_);
  if (state_ != State::held) return;
  state_ = State::recalled;
  tell([](Delegate& delegate) { delegate.recalled(); });
}

void Delegation::look_soon() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(wake_event_.get(), &one, sizeof one);
}

void Delegation::watch(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    auto& connection = lookout_.connection;
    if (!connection || !connection->alive()) reopen();
    if (connection) {
      const MonotonicTime begun = executor_.now();
      const bool is_as_thought = look(*connection);
      if (presence_.look(*connection) && is_as_thought) known_at_ = begun;
      say_seen(*connection);
      look_for_settings(*connection);
    }
    wait();
  }
}

// Until it is time to look again, or others call. Calls that come together are one.
void Delegation::wait() {
  const auto looked = Clock::now();
  auto until = looked + kRetry;
  if (lookout_.connection) {
    const std::lock_guard lock(mutex_);
    until = looked + pause();
  }
  for (;;) {
    const Connection* const connection = lookout_.connection.get();
    if (connection && take_notices(*lookout_.connection))
      until = std::min(until, std::max(Clock::now() + kBreath, looked + kApart));
    const auto left = std::chrono::ceil<milliseconds>(until - Clock::now());
    if (left.count() <= 0 || (connection && !connection->alive())) return;
    std::array<pollfd, 2> fds{
        {{wake_event_.get(), POLLIN, 0}, {connection ? connection->socket() : -1, POLLIN, 0}}};
    ::poll(fds.data(), fds.size(), static_cast<int>(left.count()));
    if (fds[0].revents == 0) continue;
    std::uint64_t count = 0;
    [[maybe_unused]] const auto got = ::read(wake_event_.get(), &count, sizeof count);
    return;
  }
}

// True: others call. What they let go of is passed on.
bool Delegation::take_notices(Connection& connection) {
  const std::string own = std::to_string(mount_.epoch);
  bool is_called = false;
  for (const Connection::Notice& notice : connection.take_notices()) {
    if (notice.channel == kLocks)
      tell([file = Uuid::parse(notice.payload)](Delegate& delegate) { delegate.lock_freed(file); });
    is_called |= notice.channel != kLocks && notice.payload != own;
  }
  return is_called;
}

void Delegation::reopen() {
  lookout_.connection.reset();
  auto opened = open_session(*lookout_.context);
  if (opened && (*opened)->run("listen") && (*opened)->run("listen_locks") &&
      presence_.take(**opened))
    lookout_.connection = std::move(*opened);
  // Who cannot ask goes on with what it knows.
  if (!lookout_.connection) known_at_ = executor_.now();
}

bool Delegation::is_certain() const { return executor_.now() - known_at_.load() < kCertain; }

// Who has just written is likely to write again.
std::chrono::milliseconds Delegation::pause() const {
  const MonotonicTime now = executor_.now();
  const bool lately = since_ != MonotonicTime{} && now - since_ < kLately;
  return presence_.is_pressing() || (state_ == State::held && lately) ? kLookLately : kLook;
}

// Whether the server says so: the session that looks has the presence, the other one the
// delegation.
bool Delegation::look(Connection& connection) {
  std::unique_lock lock(mutex_);
  const State state = state_;
  const bool has_its_turn = executor_.now() - since_ < kTurn;
  lock.unlock();
  if (state == State::held && has_its_turn) return false;
  if (state == State::lent || state == State::wanted) {
    const bool is_known = look_for_changes(connection);
    if (state == State::wanted) tell_who_writes(connection);
    return is_known;
  }
  const auto wanted =
      connection.run("delegation_wanted", Params().add(mount_.tenant).add(mount_.epoch));
  if (!wanted) return false;
  lock.lock();
  if (state_ != State::held || is_checking_)
    return state_ == State::recalled && wanted->row(0).boolean(1);
  if (!wanted->row(0).boolean(1)) {
    is_checking_ = true;
    lock.unlock();
    lost_();
    return false;
  }
  lock.unlock();
  if (wanted->row(0).boolean(0)) {
    note_who_waits(connection);
    recall();
  }
  return true;
}

// Before it gets what it waits for.
void Delegation::note_who_waits(Connection& connection) {
  if (noted_who_ != MonotonicTime{} && executor_.now() - noted_who_ < kNoteWho) return;
  noted_who_ = executor_.now();
  auto writer = writer_of(connection, mount_.tenant, Delegated::waits);
  if (!writer) return;
  const std::lock_guard lock(mutex_);
  lent_ = {std::move(writer->writer), executor_.wall_now()};
}

std::pair<Writer, WallTime> Delegation::lent() const {
  const std::lock_guard lock(mutex_);
  return lent_;
}

// Others take who says nothing while they wait for frozen.
void Delegation::say_seen(Connection& connection) {
  const MonotonicTime now = executor_.now();
  std::unique_lock lock(mutex_);
  const bool is_waited_for = state_ == State::recalled || presence_.is_pressing();
  const std::int64_t known_to = told_.since();
  lock.unlock();
  if (said_seen_ != MonotonicTime{} && now - said_seen_ < (is_waited_for ? kSaySeen : kSaySeenIdle))
    return;
  said_seen_ = now;
  (void)connection.run("note_seen", Params().add(mount_.tenant).add(mount_.epoch).add(known_to));
}

// Nobody tells that a foreign key was made, or another quota set.
void Delegation::look_for_settings(Connection& connection) {
  const MonotonicTime now = executor_.now();
  if (settings_seen_ != MonotonicTime{} && now - settings_seen_ < kLookForSettings) return;
  settings_seen_ = now;
  const auto found = connection.run("has_references", Params().add(mount_.tenant));
  if (found) has_references_.store(found->row(0).boolean(0), std::memory_order_relaxed);
  if (const auto quota = load_quota(connection, mount_.tenant)) quota_.set(*quota);
}

void Delegation::checked() {
  const std::lock_guard lock(mutex_);
  is_checking_ = false;
}

Params Delegation::question() const {
  const std::lock_guard lock(mutex_);
  return changes_since(told_.since(), mount_);
}

bool Delegation::look_for_changes(Connection& connection) {
  const auto found = connection.run("changes_since", question());
  if (found) learn(read_changes(*found));
  return found.has_value();
}

void Delegation::learn(const OthersChanges& found) {
  const std::lock_guard lock(mutex_);
  // What it came back with says all.
  if (state_ == State::held) return;
  std::vector<Uuid> ids = told_.learn(found);
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
  if (const auto writer = writer_of(connection, mount_.tenant, Delegated::holds))
    log::warning("changes wait: this tree is written by {}", writer->text());
}

}  // namespace tusk::store
