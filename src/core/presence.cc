#include "core/presence.h"

#include "core/core.h"

namespace tusk::core {
namespace {

constexpr auto kTryAgain = std::chrono::milliseconds(100);
constexpr auto kAskAgain = std::chrono::milliseconds(5);
constexpr auto kAnswersWithin = std::chrono::seconds(3);

}  // namespace

Presence::Presence(Core& core, store::Presence state)
    : core_(core), state_(state == store::Presence::alone ? State::alone : State::shared) {
  if (state_ == State::shared) tick();
}

const char* Presence::name() const {
  switch (state_) {
    case State::alone:
      return "alone";
    case State::shared:
      return "shared";
    case State::asleep:
    case State::waking:
      return "asleep";
  }
  return "";
}

Attempt<void> Presence::wake() {
  if (state_ == State::asleep) {
    state_ = State::waking;
    core_.store.wake();
  }
  return wait_on(waking_);
}

// From now on answers wait for their commit; what was answered before is committed first.
void Presence::asked_to_share() {
  if (state_ != State::alone) return;
  state_ = State::shared;
  commit_then_share();
}

void Presence::commit_then_share() {
  core_.txg.publish_all();
  core_.lot.run<void>(
      0,
      [this](vfs::Outcome<void> done) {
        if (done) return core_.file_locks.restate([this] { core_.store.share(); });
        if (!core_.txg.fenced()) core_.executor.after(kTryAgain, [this] { commit_then_share(); });
      },
      [this, target = core_.txg.last_changed()]() -> Attempt<void> {
        if (core_.delegation.is_away() || core_.txg.is_committed(target)) return {};
        return wait_on(core_.txg.want_commit());
      });
}

void Presence::changed(store::Presence state) {
  if (state == store::Presence::alone) {
    if (state_ != State::shared) return;
    state_ = State::alone;
    core_.file_locks.freed(std::nullopt);
    return core_.delegation.want();
  }
  const bool was_asleep = state_ == State::asleep || state_ == State::waking;
  state_ = State::shared;
  tick();
  // What was missed meanwhile comes before the verbs that wait.
  if (was_asleep) begin_look();
  // It may have been away for so long that others had given it up.
  core_.file_locks.restate([] {});
}

void Presence::tick() {
  if (std::exchange(ticking_, true)) return;
  core_.executor.after(core_.options.delegation_idle, [this] {
    ticking_ = false;
    rest_if_idle();
  });
}

void Presence::rest_if_idle() {
  if (state_ != State::shared) return;
  // Without the delegation times of reading are all that waits; they may wait on.
  const bool is_settled = core_.delegation.is_away() || core_.txg.is_settled();
  const bool is_idle = !std::exchange(is_used_, false) && is_settled &&
                       core_.delegation.is_quiet() && looks_begun_ == looks_ended_ &&
                       core_.file_locks.local().empty();
  if (!is_idle) return tick();
  state_ = State::asleep;
  core_.store.rest();
}

// One question serves all who came before it was asked.
Attempt<void> Presence::catch_up(Look& look) {
  if (!is_certain()) return wait_on(await_certainty());
  if (state_ != State::shared || core_.delegation.is_held()) return {};
  if (!look) {
    const bool is_asking = looks_begun_ != looks_ended_;
    look = looks_begun_ + 1;
    if (is_asking) {
      look_again_ = true;
    } else {
      begin_look();
    }
  }
  if (looks_ended_ >= *look && core_.delegation.is_caught_up()) return {};
  return wait_on(looking_);
}

// A server that does not say so for long is away.
bool Presence::is_certain() {
  const MonotonicTime now = core_.executor.now();
  if (core_.store.is_certain()) {
    uncertain_since_.reset();
    return true;
  }
  if (!uncertain_since_) uncertain_since_ = now;
  return now - *uncertain_since_ > kAnswersWithin;
}

Waiters& Presence::await_certainty() {
  if (!std::exchange(is_asking_again_, true))
    core_.executor.after(kAskAgain, [this] {
      is_asking_again_ = false;
      core_.lot.wake(looking_);
    });
  return looking_;
}

// While the database is away what is in memory is all there is.
void Presence::begin_look() {
  looks_begun_++;
  core_.store.look([this](const Result<void>&) { end_look(); });
}

void Presence::end_look() {
  looks_ended_ = looks_begun_;
  if (std::exchange(look_again_, false)) begin_look();
  if (core_.delegation.is_caught_up()) caught_up();
}

void Presence::caught_up() {
  core_.lot.wake(looking_);
  if (is_alone() || is_shared()) core_.lot.wake(waking_);
}

Attempt<void> Presence::kernel_forgot(const Node& node) {
  if (node.pushed_in <= rounds_done_ || !core_.kernel_cache) return {};
  return wait_on(telling_);
}

void Presence::took_in() {
  if (!core_.kernel_cache) return;
  const std::uint64_t round = ++rounds_told_;
  core_.kernel_cache->after_drops([this, &executor = core_.executor, round] {
    executor.post([this, round] {
      rounds_done_ = round;
      core_.stale_names.told_kernel(round);
      core_.lot.wake(telling_);
    });
  });
}

}  // namespace tusk::core
