#include "core/txg.h"

#include <algorithm>

#include "core/core.h"
#include "core/cut.h"
#include "core/publish.h"
#include "tuskfs/base/log.h"

namespace tusk::core {
namespace {

// A group is cut when its changes pause, so that SQL sees a closed file at once; while they keep
// coming, at the latest after the longer time: a commit takes the processor from the very writers
// that it would not make wait.
constexpr auto kGroupDelay = std::chrono::milliseconds(20);
constexpr auto kPause = std::chrono::milliseconds(3);
constexpr auto kBusyDelay = std::chrono::milliseconds(300);
// Who waits for a commit waits so long for those who waited with him the last time: one commit for
// all of them costs little more than one for each.
constexpr auto kGather = std::chrono::microseconds(800);
// A group of this many dirty bytes is not worth growing.
constexpr std::uint64_t kGroupBytes = 32u << 20;
// Groups that nobody waits for commit without waiting for the disk; at the latest after this time
// one does wait, and all before it are as safe.
constexpr auto kSettle = std::chrono::milliseconds(700);
constexpr int kMostBackoff = 10;  // retry intervals

GroupNo next(GroupNo group) { return GroupNo{static_cast<std::int64_t>(group) + 1}; }

}  // namespace

Txg::Txg(Core& core, GroupNo last)
    : core_(core), open_number_(next(last)), committed_(last), durable_(last) {}

void Txg::mark(Node& node, std::uint8_t bits) {
  if (node.dirty == 0) open_.push_back(&node);
  node.dirty |= bits;
  node.group = open_number_;
  arm(bits == kDirtyLazy ? core_.options.lazy_interval : kGroupDelay);
  const bool large =
      open_.size() > core_.options.dirty_nodes_limit / 2 || core_.dirty_bytes > kGroupBytes;
  if (large || bits & kDirtyStage) cut_soon();
}

void Txg::arm(std::chrono::nanoseconds delay) {
  last_change_ = core_.executor.now();
  if (cut_due_ == MonotonicTime::max()) first_change_ = last_change_;
  cut_due_ = std::min(cut_due_, last_change_ + delay);
  wake_at(cut_due_);
}

void Txg::wake_at(MonotonicTime due) {
  if (in_flight_ || armed_ <= due || due == MonotonicTime::max()) return;
  armed_ = due;
  const auto delay = std::max(due, core_.executor.now()) - core_.executor.now();
  core_.executor.after(delay, [this] { cut_if_due(); });
}

void Txg::cut_soon() {
  cut_due_ = MonotonicTime::min();
  if (in_flight_ || armed_ == MonotonicTime::min()) return;
  armed_ = MonotonicTime::min();
  core_.executor.post([this] { cut_if_due(); });
}

Waiters& Txg::want_durable() {
  // A group in flight that is durable already covers what it holds; later changes need the next.
  if (!in_flight_ || !in_flight_->durable || !open_.empty()) {
    durable_wanted_ = true;
    cut_soon();
  }
  return durable_waiters_;
}

Waiters& Txg::want_commit() {
  if (in_flight_) return commit_waiters_;  // who is woken then asks again
  if (++asking_ >= crowd_) {
    cut_soon();
  } else if (gather_until_ == MonotonicTime::max()) {
    gather_until_ = core_.executor.now() + kGather;
    wake_at(gather_until_);
  }
  return commit_waiters_;
}

GroupNo Txg::last_changed() const {
  return open_.empty() ? GroupNo{static_cast<std::int64_t>(open_number_) - 1} : open_number_;
}

Attempt<void> Txg::admit(std::size_t bytes) {
  if (fenced_) return error(EIO);
  ATTEMPT(core_.presence.attend());
  ATTEMPT(core_.delegation.hold());
  const bool full = core_.dirty_bytes + bytes > core_.options.dirty_limit && core_.dirty_bytes > 0;
  const bool many = open_.size() + in_flight_nodes_.size() > core_.options.dirty_nodes_limit;
  if (!full && !many) return {};
  if (full) relieve();
  cut_soon();
  return wait_on(commit_waiters_);
}

// Dirty memory is full: what is not published yet must be able to go as well.
void Txg::relieve() {
  const auto waiting = std::exchange(unpublished_, {});
  for (const auto& [since, id] : waiting) {
    Node* node = core_.table.find(id);
    if (!node || !node->file.content || !node->file.content->unpublished()) continue;
    if (stage_everything(core_, *node)) {
      unpublished_.emplace_back(since, id);
    } else {
      publish(core_, *node);
    }
  }
}

void Txg::cut_if_due() {
  armed_ = MonotonicTime::max();
  if (in_flight_ || fenced_) return;
  if (core_.delegation.is_away()) {
    if (cut_due_ == MonotonicTime::min()) core_.delegation.want();
    return;
  }
  if (open_.empty() && !durable_wanted_) return;
  const MonotonicTime now = core_.executor.now();
  const bool urgent = cut_due_ == MonotonicTime::min() || gather_until_ <= now;
  if (urgent) cut_due_ = MonotonicTime::min();
  if (!urgent && now - last_change_ < kPause && now - first_change_ < kBusyDelay)
    cut_due_ = now + kPause;
  if (cut_due_ > now) return wake_at(std::min(cut_due_, gather_until_));
  cut();
}

void Txg::resume() {
  if (!open_.empty() || durable_wanted_) cut_soon();
}

bool Txg::cut_now() {
  if (in_flight_) return false;
  if (!open_.empty()) cut();
  return true;
}

void Txg::cut() {
  cut_due_ = gather_until_ = MonotonicTime::max();
  asking_ = 0;
  in_flight_since_ = first_change_;
  cut_at_ = core_.executor.now();
  in_flight_nodes_ = std::exchange(open_, {});
  Cut cut = cut_group(core_, in_flight_nodes_, open_number_, std::exchange(durable_wanted_, false));
  in_flight_ = std::move(cut.group);
  in_flight_charges_ = std::move(cut.charges);
  in_flight_before_ = std::move(cut.before);
  open_number_ = next(open_number_);
  failures_ = 0;
  send();
}

void Txg::send() {
  core_.store.commit(in_flight_,
                     [this](store::CommitResult result) { on_result(std::move(result)); });
}

void Txg::on_result(store::CommitResult result) {
  if (result.state == store::CommitState::committed) return on_committed(result);
  on_failed(result);
}

void Txg::on_committed(const store::CommitResult& result) {
  if (failures_ > 0)
    log::info("commits go on: group {} is in", static_cast<std::int64_t>(in_flight_->number));
  committed_ = in_flight_->number;
  if (in_flight_->durable) durable_ = committed_;
  last_commit_ = core_.now();
  last_error_.clear();
  commit_time_.add(core_.executor.now() - cut_at_);
  inodes_committed_ += in_flight_nodes_.size();
  // Nothing was cut since: it is as the last cut left it.
  if (result.usage) {
    core_.usage = *result.usage;
    core_.claims.promised = {};
  }
  in_flight_.reset();
  in_flight_charges_.clear();
  for (const store::Refusal& refusal : result.refused) {
    Node* node = core_.table.find(refusal.owner);
    if (!node || node->gone) continue;
    const auto at = std::ranges::find(in_flight_nodes_, node) - in_flight_nodes_.begin();
    const auto index = static_cast<std::size_t>(at);
    give_up(core_, *node,
            index < in_flight_before_.size() ? in_flight_before_[index] : Counted::of(*node));
  }
  if (!result.displaced.empty()) displaced_in_ = committed_;
  for (const Uuid& id : result.displaced)
    if (Node* node = core_.table.find(id)) node->displaced = true;
  for (Node* node : std::exchange(in_flight_nodes_, {})) {
    if (node->dirty == 0) core_.release_if_unused(*node);
  }
  if (is_settled()) core_.claims.unsaved = {};  // nothing is only in memory
  settle_later();
  crowd_ = commit_waiters_.size();
  core_.lot.wake(commit_waiters_);
  core_.lot.wake(durable_waiters_);
  core_.trim_soon();
  if (durable_wanted_) cut_soon();
  if (!open_.empty()) wake_at(cut_due_);
}

void Txg::settle_later() {
  if (is_durable(committed_) || std::exchange(settling_, true)) return;
  core_.executor.after(kSettle, [this] {
    settling_ = false;
    if (!is_durable(committed_)) want_durable();
  });
}

void Txg::on_failed(const store::CommitResult& result) {
  const auto number = static_cast<std::int64_t>(in_flight_->number);
  if (result.error.what != last_error_) {
    log::error("group {} is not committed: {}", number, result.error.what);
    last_error_ = result.error.what;
  }
  if (result.state == store::CommitState::fenced) {
    fenced_ = true;
    core_.lot.wake(durable_waiters_, EIO);
    core_.lot.wake(commit_waiters_, EIO);
    return;
  }
  // Who waits for the disk is told at once that it is full or that the rows are refused; a lost
  // connection is waited for until the operation's own deadline.
  if (result.error.code == ENOSPC || result.state == store::CommitState::refused) {
    core_.lot.wake(durable_waiters_, result.error.code);
  }
  failures_ = std::min(failures_ + 1, kMostBackoff);
  core_.executor.after(core_.options.retry_interval * failures_, [this] { send(); });
}

void Txg::note_unpublished(Node& node) {
  unpublished_.emplace_back(core_.executor.now(), node.id);
  arm_publishing();
}

void Txg::arm_publishing() {
  if (unpublished_.empty() || std::exchange(publishing_armed_, true)) return;
  const auto due = unpublished_.front().first + core_.options.publish_interval;
  const auto delay = std::max(due - core_.executor.now(), std::chrono::nanoseconds(0));
  core_.executor.after(delay, [this] { publish_due(); });
}

void Txg::publish_due() {
  publishing_armed_ = false;
  const MonotonicTime until = core_.executor.now() - core_.options.publish_interval;
  const auto end =
      std::ranges::find_if(unpublished_, [until](const auto& e) { return e.first > until; });
  std::vector<std::pair<MonotonicTime, Uuid>> due(unpublished_.begin(), end);
  unpublished_.erase(unpublished_.begin(), end);
  for (const auto& [since, id] : due) {
    if (Node* node = core_.table.find(id)) {
      const Content* content = node->file.content.get();
      if (!content || !content->unpublished() || content->unpublished_since > until) continue;
      if (content->moving) {
        unpublished_.emplace_back(core_.executor.now(), id);  // by itself, when it has arrived
      } else {
        publish(core_, *node);
      }
    }
  }
  arm_publishing();
}

void Txg::publish_all() {
  for (const auto& [since, id] : std::exchange(unpublished_, {})) {
    Node* node = core_.table.find(id);
    if (node && node->file.content) publish(core_, *node);
  }
}

Txg::Facts Txg::facts() const {
  std::chrono::nanoseconds lag{};
  if (in_flight_)
    lag = core_.executor.now() - in_flight_since_;
  else if (!open_.empty())
    lag = core_.executor.now() - first_change_;
  return {.committed = committed_,
          .durable = durable_,
          .dirty_nodes = open_.size() + in_flight_nodes_.size(),
          .last_commit = last_commit_,
          .last_error = last_error_,
          .groups = commit_time_.count(),
          .inodes = inodes_committed_,
          .lag = lag};
}

}  // namespace tusk::core
