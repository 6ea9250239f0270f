// Whether other mounts look at the tree, and what that asks of this one.
//
// Alone, it answers from memory and commits behind. Else what others may look for is committed
// before it is answered (a close, a name made or removed), and an open first asks what the others
// have committed: so whoever opens a file after another mount has closed it reads what that one
// wrote. What the kernel may keep is pushed aside a moment after it changes.
//
// A mount that nobody uses for --delegation-idle falls asleep, so that another one can be alone.
#pragma once

#include <cstdint>
#include <optional>

#include "core/parking.h"
#include "tuskfs/store/store.h"

namespace tusk::core {

struct Core;
struct Node;

class Presence {
 public:
  Presence(Core& core, store::Presence state);

  bool is_alone() const { return state_ == State::alone; }
  bool is_shared() const { return state_ == State::shared; }
  const char* name() const;

  // Before a verb looks at the tree or changes it: at once, or once this mount is awake.
  Attempt<void> attend() {
    is_used_ = true;
    if (state_ != State::asleep && state_ != State::waking) [[likely]]
      return {};
    return wake();
  }
  // What a verb that must see what others did until it began keeps between its attempts.
  using Look = std::optional<std::uint64_t>;
  Attempt<void> catch_up(Look& look);
  // The kernel has forgotten what others changed of a node.
  Attempt<void> kernel_forgot(const Node& node);

  // From the store.
  void asked_to_share();
  void changed(store::Presence state);
  // From the delegation: what others changed is in memory, and the kernel is being told.
  void took_in();
  void caught_up();
  // What is being taken in belongs to this round of telling the kernel.
  std::uint64_t round() const { return rounds_told_ + 1; }

 private:
  enum class State { alone, shared, asleep, waking };

  Attempt<void> wake();
  void commit_then_share();
  bool is_certain();
  Waiters& await_certainty();
  void begin_look();
  void end_look();
  void tick();
  void rest_if_idle();

  Core& core_;
  State state_;
  bool is_used_ = true;
  bool ticking_ = false;
  Waiters waking_, looking_, telling_;
  std::uint64_t looks_begun_ = 0, looks_ended_ = 0;
  bool look_again_ = false;
  // Whether others have given this mount up is not known since, and asked for again.
  std::optional<MonotonicTime> uncertain_since_;
  bool is_asking_again_ = false;
  std::uint64_t rounds_told_ = 0, rounds_done_ = 0;
};

}  // namespace tusk::core
