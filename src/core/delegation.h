// Whether this mount may change the tree. It may, alone, until somebody else wants to: then verbs
// that change something wait, all that was done is committed, and the delegation is given away. The
// first verb that wants to change something asks for it again, or time does; when it returns, what
// others did is taken into memory before anything else happens.
//
// While it is away nothing in memory is newer than the database, but for times of reading and files
// that nobody needs any more: those marks wait in the open group, which is not cut.
#pragma once

#include <optional>
#include <vector>

#include "core/parking.h"
#include "tuskfs/store/store.h"

namespace tusk::core {

struct Core;

class Delegation final : public store::Delegate {
 public:
  explicit Delegation(Core& core);
  ~Delegation() override;
  Delegation(const Delegation&) = delete;
  Delegation& operator=(const Delegation&) = delete;

  // To change something: at once, or once it is back.
  Attempt<void> hold() {
    if (state_ == State::held) [[likely]]
      return {};
    want();
    return wait_on(waiters_);
  }
  bool is_away() const { return state_ == State::away || state_ == State::coming; }
  void want() {
    if (state_ == State::away) take_back();
  }
  std::uint64_t lent() const { return lent_; }
  bool is_held() const { return state_ == State::held; }
  // What was loaded under another number may be older than what others have changed since.
  std::uint64_t epoch() const { return epoch_; }
  // Nobody here waits for it.
  bool is_quiet() const { return waiters_.empty() && state_ != State::coming; }
  // All that others are known to have changed is in memory.
  bool is_caught_up() const { return asked_.empty() && changed_.empty(); }

  void recalled() override;
  void changed(std::vector<Uuid> ids) override;
  void returned(std::vector<Uuid> ids, store::Usage usage) override;
  void asked_to_share() override;
  void presence(store::Presence state) override;
  void lock_freed(std::optional<Uuid> file) override;

 private:
  enum class State { held, recalled, away, coming };

  Attempt<void> settle();
  void begin_to_leave();
  void commit_everything();
  void take_back();
  void take_in();
  void ask();
  void finish();

  Core& core_;
  State state_ = State::held;
  Waiters waiters_{vfs::WaitFor::lock};
  std::uint64_t epoch_ = 0;
  std::uint64_t lent_ = 0;                // how often
  bool is_wanted_ = false;                // by others
  bool is_settling_ = false;              // everything is being committed for that
  std::vector<Uuid> changed_;             // by others, not in memory yet
  std::vector<Uuid> asked_;               // those of them that the store is being asked for
  bool is_back_ = false;                  // it is held once all that is in memory
  std::optional<store::Usage> returned_;  // what the tree counts then, unless as it did
};

}  // namespace tusk::core
