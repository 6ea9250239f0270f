// Commits groups over one connection, and keeps its word when the server dies.
//
// 1. A group answered `committed` is in the database for good. Groups that are not durable commit
//    without waiting for the disk; the committer keeps them until the server's log is flushed past
//    them, and sends again those that a crash of the server undid: at the latest a moment after the
//    server is back, even when nothing else is written.
// 2. No group is applied twice: tusk.begin_group takes each number once.
// 3. A committer whose tree was taken by another mount never writes again.
#pragma once

#include <atomic>
#include <deque>
#include <memory>
#include <optional>

#include "attach.h"
#include "connection.h"
#include "mime.h"

namespace tusk::store {

// Used by one thread.
class Committer {
 public:
  Committer(ConnectionContext& context, std::unique_ptr<Connection> connection, const Lease& lease);

  CommitResult commit(const std::shared_ptr<const Group>& group);
  // While nothing is written: sees to groups that are not yet safe on disk. True: some are left.
  bool settle();

  // Others may write; nothing may be committed before it is taken back.
  void give_delegation();
  struct Returned {
    std::vector<Uuid> changed;     // by others, since `last_change`
    std::int64_t last_change = 0;  // from here on
    Usage usage;
  };
  // Waits in the queue for a while. Null: not yet, or there is no connection.
  std::optional<Returned> take_delegation();
  // What others changed while there was no connection, and so nothing that kept them from it.
  // Groups that were made before this is told are committed without it.
  std::vector<Uuid> take_missed() { return std::exchange(missed_, {}); }

  // Whether the session is gone is known only when it is used: connects anew if it is.
  void check_connection();

  // After an exception: what the connection has in flight cannot be told.
  void forget_connection() { connection_.reset(); }
  // Any thread.
  bool connected() const { return connected_.load(std::memory_order_relaxed); }

 private:
  struct Kept {
    std::shared_ptr<const Group> group;
    std::size_t bytes = 0;
    std::int64_t written = 0;  // log position past its commit; 0: not known yet
  };

  std::optional<Returned> take_changes();
  std::optional<CommitResult> note_missed();
  std::optional<CommitResult> ensure_connected();
  std::optional<CommitResult> reconnect();
  CommitResult commit_after(const std::shared_ptr<const Group>& group);
  std::optional<CommitResult> commit_undone(std::int64_t before);
  CommitResult with_usage(const Group& group, CommitResult result);
  CommitResult send(const Group& group, bool durable);
  CommitResult send_all(const Group& group, bool durable);
  CommitResult send_without_missed(const Group& group, bool durable);
  CommitResult send_whole(const Group& group, bool durable);
  CommitResult send_accepted(const Group& group, bool durable);
  PgExpected<void> queue_group(const Group& group, bool durable);
  PgExpected<void> queue_begin(const Group& group, bool durable);
  void note_flushed(const Row& positions);
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
  std::optional<Error> fenced_;
  bool is_delegated_ = true;
  std::int64_t last_change_;  // of others, known here
  std::vector<Uuid> missed_;
};

}  // namespace tusk::store
