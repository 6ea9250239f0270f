// Commits groups over one connection, and keeps its word when the server dies.
//
// 1. A group answered `committed` is in the database for good. Groups that are not durable commit
//    without waiting for the disk; the committer keeps them until the server's log is flushed past
//    them (where commits wait for standbys: until these have confirmed a later one), and sends
//    again those that the end of a server undid: at the latest a moment after it or its successor
//    is there, even when nothing else is written.
// 2. No group is applied twice: tusk.begin_group takes each number once.
// 3. A committer whose tree was taken by another mount never writes again.
// 4. What others committed while there was no connection, and so nothing that kept them from it, is
//    never overwritten: groups that were made without knowing of it are written without what
//    conflicts, whose contents go to lost+found.
#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>

#include "attach.h"
#include "connection.h"
#include "lost_found.h"
#include "mime.h"

namespace tusk::store {

// Used by one thread.
class Committer {
 public:
  // `has_others`: whether the tree has other mounts, for which what is committed is to be noted.
  Committer(ConnectionContext& context, std::unique_ptr<Connection> connection, const Lease& lease,
            std::function<bool()> has_others);

  CommitResult commit(const std::shared_ptr<const Group>& group);
  // While nothing is written: sees to groups that are not yet safe on disk. True: some are left.
  bool settle();

  // Others may write; nothing may be committed before it is taken back. Answers what of the
  // mount's memory is not so any more.
  std::vector<Uuid> give_delegation();
  struct Returned {
    OthersChanges others;
    Usage usage;
  };
  // Waits in the queue for a while. Null: not yet, or there is no connection.
  std::optional<Returned> take_delegation();
  // Others changed what the makers of groups do not know of: the delegation is to be given, so that
  // they learn of it, once all that they have is committed.
  bool is_behind() const { return !missed_.empty() || lost_found_.is_in_use(); }

  // Whether the session is gone is known only when it is used: connects anew if it is.
  void check_connection();

  // The last word of a mount that ends: it does not come back.
  void leave();

  // After an exception: what the connection has in flight cannot be told.
  void forget_connection() { connection_.reset(); }
  // Of groups that were committed whole, which all but those are that the database refuses in part.
  // WAL is what the server wrote between a group's first statement and its last: also by others, if
  // they wrote just then, and without the record of the commit itself. Any thread.
  struct Cost {
    std::uint64_t statements = 0, wal_bytes = 0;
  };
  Cost cost() const {
    return {statements_.load(std::memory_order_relaxed),
            wal_bytes_.load(std::memory_order_relaxed)};
  }
  // Any thread.
  bool connected() const { return connected_.load(std::memory_order_relaxed); }
  // Where the tree is, or was last; any thread.
  std::string database() const;

 private:
  struct Kept {
    std::shared_ptr<const Group> group;
    std::size_t bytes = 0;
    std::int64_t written = 0;  // log position past its commit; 0: not known yet
  };

  std::optional<Returned> take_changes();
  bool has_others() const { return met_others_ || has_others_(); }
  std::optional<CommitResult> note_missed();
  std::optional<CommitResult> ensure_connected();
  std::optional<CommitResult> reconnect();
  CommitResult commit_after(const std::shared_ptr<const Group>& group);
  std::optional<CommitResult> commit_undone(std::int64_t before);
  CommitResult with_usage(const Group& group, CommitResult result);
  CommitResult send(const Group& group, bool durable);
  CommitResult send_whole(const Group& group, bool durable);
  CommitResult send_accepted(const Group& group, bool durable);
  PgExpected<void> write_accepted(const Group& group, bool durable, CommitResult& result);
  PgExpected<void> queue_group(const Group& group, bool durable);
  PgExpected<void> queue_begin(const Group& group, bool durable);
  PgExpected<void> queue_set_aside(const Group& group);
  PgExpected<void> queue_notes(const Group& group, const std::vector<Uuid>& touched);
  void note_cost(const Answers& answers);
  void note_database();
  void note_flushed(const Row& positions);
  void await_standbys();
  void keep_nothing();
  void keep(const std::shared_ptr<const Group>& group, bool durable);
  CommitResult failed(const Group& group, CommitResult result);

  ConnectionContext& context_;
  std::unique_ptr<Connection> connection_;
  const Lease& lease_;
  std::int64_t last_group_;  // in the database, as far as known
  MimeTypes mime_;
  std::deque<Kept> kept_;
  std::size_t kept_bytes_ = 0;
  std::atomic<bool> connected_ = true;
  std::atomic<std::uint64_t> statements_ = 0, wal_bytes_ = 0;
  std::optional<Error> fenced_;
  bool is_delegated_ = true;
  KnownChanges known_;
  Turns turns_;
  const std::function<bool()> has_others_;
  bool met_others_ = false;  // on its return, which those who look out for them may not know yet
  std::set<Uuid> missed_;    // changed by others, which the makers of groups do not know
  LostFound lost_found_;
  mutable std::mutex mutex_;
  std::string database_;  // guarded by mutex_
};

}  // namespace tusk::store
