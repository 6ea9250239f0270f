// Locks of files: decided in memory while this mount is alone with its tree, else agreed with the
// other mounts through the store.
#pragma once

#include "tuskfs/store/store.h"
#include "tuskfs/vfs/locks.h"

namespace tusk::core {

struct Core;

class FileLocks final : public vfs::LockArbiter {
 public:
  explicit FileLocks(Core& core) : core_(core), local_(this) {}

  vfs::Locks& local() { return local_; }
  const vfs::Locks& local() const { return local_; }

  bool is_needed() const override;
  void ask(Question question, vfs::Reply<bool> reply) override;
  void find(Ino ino, const vfs::Lock& wanted, vfs::Reply<std::optional<vfs::Lock>> reply) override;

  // From the store: another mount let go of a lock; of which file is not always known.
  void freed(const std::optional<Uuid>& file);
  // What is held here is known to the other mounts, but for what they have taken meanwhile: that is
  // lost, with a line in the log.
  void restate(vfs::Wake done);

 private:
  struct Asked;
  void ask(const std::shared_ptr<Asked>& asked);
  void try_refused_later();

  Core& core_;
  vfs::Locks local_;
  bool is_trying_ = false;
};

}  // namespace tusk::core
