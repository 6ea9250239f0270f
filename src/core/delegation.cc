#include "core/delegation.h"

#include <algorithm>

#include "core/asking.h"
#include "core/core.h"
#include "core/refresh.h"
#include "tuskfs/base/log.h"

namespace tusk::core {
namespace {

constexpr auto kTryAgain = std::chrono::milliseconds(100);
// Bounds one question and what it keeps the core thread from.
constexpr std::size_t kAtOnce = 5000;

}  // namespace

Delegation::Delegation(Core& core) : core_(core) { core_.store.set_delegate(this); }

Delegation::~Delegation() { core_.store.set_delegate(nullptr); }

void Delegation::recalled() {
  is_wanted_ = true;
  if (state_ == State::held) begin_to_leave();
}

void Delegation::begin_to_leave() {
  state_ = State::recalled;
  if (!std::exchange(is_settling_, true)) commit_everything();
}

// Nothing is left that the database does not have, durably: what others write may rest on it.
Attempt<void> Delegation::settle() {
  if (state_ != State::recalled) return wait_on(waiters_);
  core_.txg.publish_all();
  if (!core_.txg.is_settled()) return wait_on(core_.txg.want_commit());
  if (core_.options.durability == Durability::none) return {};
  if (!core_.txg.is_durable(core_.txg.last_changed())) return wait_on(core_.txg.want_durable());
  return {};
}

void Delegation::commit_everything() {
  const auto done = [this](vfs::Outcome<void> settled) {
    if (!settled) {
      // Whoever wants to write waits for the database as long as we do.
      if (!core_.txg.fenced()) core_.executor.after(kTryAgain, [this] { commit_everything(); });
      return;
    }
    state_ = State::away;
    is_wanted_ = is_settling_ = false;
    core_.store.give_back();
    const std::uint64_t lent = ++lent_;
    core_.executor.after(core_.options.delegation_idle, [this, lent] {
      // Another mount has it, or will want it as well: it goes to who has something to do.
      if (lent == lent_ && core_.presence.is_alone()) want();
    });
    // Who came meanwhile has something to do.
    if (!waiters_.empty()) want();
  };
  core_.lot.run<void>(0, done, [this] { return settle(); });
}

void Delegation::take_back() {
  state_ = State::coming;
  core_.store.take_back();
}

void Delegation::changed(std::vector<Uuid> ids) {
  changed_.insert(changed_.end(), ids.begin(), ids.end());
  take_in();
}

void Delegation::returned(std::vector<Uuid> ids, store::Usage usage) {
  returned_ = usage;
  is_back_ = true;
  changed(std::move(ids));
}

void Delegation::asked_to_share() { core_.presence.asked_to_share(); }

void Delegation::presence(store::Presence state) { core_.presence.changed(state); }

void Delegation::lock_freed(std::optional<Uuid> file) { core_.file_locks.freed(file); }

void Delegation::take_in() {
  if (!asked_.empty()) return;
  if (changed_.empty()) return finish();
  std::ranges::sort(changed_);
  changed_.erase(std::ranges::unique(changed_).begin(), changed_.end());
  const std::size_t rest = changed_.size() - std::min(changed_.size(), kAtOnce);
  asked_.assign(changed_.begin() + static_cast<std::ptrdiff_t>(rest), changed_.end());
  changed_.resize(rest);
  ask();
}

void Delegation::ask() {
  core_.store.load_entries(asked_, [this](Result<store::EntryRows> rows) {
    if (asked_again(core_, rows, [this] { ask(); })) return;
    if (!rows) {
      log::error("what others changed cannot be loaded: {}", rows.error().what);
      core_.executor.after(kTryAgain, [this] { ask(); });
      return;
    }
    epoch_++;
    refresh(core_, std::exchange(asked_, {}), *rows);
    core_.presence.took_in();
    take_in();
  });
}

void Delegation::finish() {
  core_.presence.caught_up();
  if (!std::exchange(is_back_, false)) return;
  if (returned_) core_.usage = *std::exchange(returned_, std::nullopt);
  state_ = State::held;
  // Somebody may have come to wait since it was granted.
  if (is_wanted_) begin_to_leave();
  core_.txg.resume();
  core_.lot.wake(waiters_);
}

}  // namespace tusk::core
