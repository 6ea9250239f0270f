// Transaction groups: operations mark what they change in the open group; a cut turns it into rows;
// one group at a time is in flight.
//
// 1. Groups are cut and committed in order; a group that failed is sent again, unchanged, before
// any
//    later one is cut.
// 2. node.group is the number of the last group that changed the node: the open one or an earlier.
// 3. A group is a cut of one moment: everything done before it, nothing after.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/cut.h"
#include "core/node.h"
#include "core/parking.h"
#include "tuskfs/base/histogram.h"
#include "tuskfs/store/group.h"
#include "tuskfs/store/store.h"

namespace tusk::core {

struct Core;

class Txg {
 public:
  Txg(Core& core, GroupNo last);

  // `bits`: of Dirty. The node joins the open group.
  void mark(Node& node, std::uint8_t bits);
  // Room for `bytes` more of dirty content, or a wait for it; EIO once the tree was taken over.
  Attempt<void> admit(std::size_t bytes);

  GroupNo open_number() const { return open_number_; }
  bool is_committed(GroupNo group) const { return group <= committed_; }
  bool is_durable(GroupNo group) const { return group <= durable_; }
  // Something that was done in it, or since, is not as it was done: others were there first.
  bool was_displaced(GroupNo group) const { return displaced_in_ >= group; }
  // Asks that everything up to now become durable; woken at each commit (check is_durable again).
  Waiters& want_durable();
  // Asks for a commit soon; woken at each (check is_committed again).
  Waiters& want_commit();
  void cut_soon();
  // What follows is not in a group with anything before it. False: a group is in flight; to be
  // asked again once that has committed.
  bool cut_now();
  // No group is in flight: the open one can be cut.
  bool can_cut() const { return !in_flight_; }
  // The last group that has any change, the open one included.
  GroupNo last_changed() const;
  // Nothing waits to be committed.
  bool is_settled() const { return !in_flight_ && open_.empty() && unpublished_.empty(); }
  // The delegation is back: what waited in the open group may go.
  void resume();

  // A content has something unpublished; it is published once the interval has passed.
  void note_unpublished(Node& node);
  void publish_all();

  struct Facts {
    GroupNo committed{}, durable{};
    std::size_t dirty_nodes = 0;
    WallTime last_commit;
    std::string last_error;
    std::uint64_t groups = 0, inodes = 0;  // committed by this mount
    std::chrono::nanoseconds lag{};        // of the oldest change that is not committed
  };
  // From the cut of a group until it was committed.
  const Histogram& commit_time() const { return commit_time_; }

  Facts facts() const;
  bool fenced() const { return fenced_; }

 private:
  void arm(std::chrono::nanoseconds delay);
  void wake_at(MonotonicTime due);
  void cut_if_due();
  void cut();
  void send();
  void on_result(store::CommitResult result);
  void on_committed(const store::CommitResult& result);
  void on_failed(const store::CommitResult& result);
  void settle_later();
  void relieve();
  void arm_publishing();
  void publish_due();

  Core& core_;
  GroupNo open_number_;
  GroupNo committed_;
  GroupNo durable_;
  GroupNo displaced_in_{};                             // the last one of which something was
  std::vector<Node*> open_;                            // nodes of the open group
  MonotonicTime first_change_{}, last_change_{};       // of the open group
  MonotonicTime cut_due_ = MonotonicTime::max();       // min: at once
  MonotonicTime gather_until_ = MonotonicTime::max();  // those who wait for a commit
  std::size_t asking_ = 0;                             // for a commit of the open group
  std::size_t crowd_ = 0;                              // who waited for the last one
  MonotonicTime armed_ = MonotonicTime::max();
  bool durable_wanted_ = false;
  bool fenced_ = false;

  std::shared_ptr<const store::Group> in_flight_;
  std::vector<Node*> in_flight_nodes_;
  std::vector<Counted> in_flight_before_;  // of each of these
  std::vector<std::shared_ptr<DirtyCharge>> in_flight_charges_;
  int failures_ = 0;

  Waiters durable_waiters_;
  Waiters commit_waiters_;
  std::vector<std::pair<MonotonicTime, Uuid>> unpublished_;  // in order of time
  bool publishing_armed_ = false;
  bool settling_ = false;
  WallTime last_commit_;
  std::string last_error_;
  Histogram commit_time_;
  std::uint64_t inodes_committed_ = 0;
  MonotonicTime in_flight_since_{};  // the first change in it
  MonotonicTime cut_at_{};
};

}  // namespace tusk::core
