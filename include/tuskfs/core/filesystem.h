// The filesystem itself: a Vfs over a Store.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "tuskfs/base/executor.h"
#include "tuskfs/core/options.h"
#include "tuskfs/store/store.h"
#include "tuskfs/vfs/vfs.h"

namespace tusk::core {

struct Status {
  std::uint64_t dirty_bytes = 0;
  std::uint64_t dirty_inodes = 0;
  std::uint64_t cached_inodes = 0;
  std::uint64_t cached_bytes = 0;
  std::int64_t group_committed = 0;
  std::int64_t group_durable = 0;
  WallTime last_commit;                            // zero: none yet
  std::uint64_t groups = 0, inodes_committed = 0;  // by this mount
  std::chrono::nanoseconds commit_p50{}, commit_p99{}, commit_most{};
  std::chrono::nanoseconds lag{};  // of the oldest change that is not committed; 0: there is none
  bool has_delegation = false;     // else others may write
  std::string presence;            // alone, shared or asleep: see store::Presence
  std::uint64_t delegations_lent = 0;
  std::string last_error;  // of the commit that is being retried; empty when all is well
};

class Filesystem : public vfs::Vfs {
 public:
  // All on the core thread, as every verb.
  virtual Status status() const = 0;
  // Publishes and commits everything durably, then answers. Errors: as fsync.
  virtual void sync_all(vfs::Reply<void>) = 0;
  // Answers once what has been published so far is committed, durable or not.
  virtual void commit_all(vfs::Reply<void>) = 0;
  // Contents of that moment are kept, however soon others follow.
  virtual void note_snapshot(WallTime) = 0;
  // Something in the trash gets a place and a name again, with all that went with it. EEXIST;
  // ENOENT: it is not there any more; EBUSY: a file of it is still open.
  virtual void restore(const vfs::Call&, const Uuid&, Ino parent, std::string_view name,
                       vfs::Reply<void>) = 0;
  virtual bool is_open(const Uuid&) const = 0;
  // The kernel is gone, and with it whoever had files open: closes of the last moment it does not
  // tell.
  virtual void close_all() = 0;
  // What `getfattr -n user.tusk.status` of the root answers, read by `tuskfs status`.
  virtual void set_status_text(std::function<std::string()>) = 0;
};

std::unique_ptr<Filesystem> make_filesystem(Executor&, store::Store&, const store::Attached&,
                                            const Options&);

}  // namespace tusk::core
