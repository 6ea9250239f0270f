#include "committer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

#include "group_writer.h"
#include "salvage.h"
#include "session.h"
#include "sqlstate.h"
#include "tuskfs/base/log.h"

namespace tusk::store {
namespace {

// What is kept of groups that the server has not flushed yet; past it a group waits for the disk,
// and all before it are safe.
constexpr std::size_t kKeptBytes = 24u << 20;
constexpr std::size_t kRowBytes = 300;

std::int64_t number_of(const Group& group) { return static_cast<std::int64_t>(group.number); }

std::size_t bytes_of(const Group& group) {
  std::size_t sum =
      kRowBytes * (group.files.size() + group.folders.size() + group.links_added.size());
  for (const FileChange& change : group.files) sum += change.data ? change.data->size() : 0;
  for (const ChunkPut& put : group.chunk_puts) sum += put.data ? put.data->size() : 0;
  for (const ObjectWrite& write : group.object_writes) sum += write.sums.size();
  for (const XattrRow& row : group.xattrs_set) sum += row.value.size();
  return sum;
}

}  // namespace

Committer::Committer(ConnectionContext& context, std::unique_ptr<Connection> connection,
                     const Lease& lease)
    : context_(context),
      connection_(std::move(connection)),
      lease_(lease),
      last_group_(static_cast<std::int64_t>(lease.attached.last_group)),
      last_change_(lease.last_change) {}

CommitResult Committer::commit(const std::shared_ptr<const Group>& group) {
  if (fenced_) return {CommitState::fenced, *fenced_};
  if (auto failure = ensure_connected()) return failed(*group, std::move(*failure));
  CommitResult result = commit_after(group);
  if (!connection_->alive()) connected_ = false;
  if (result.state == CommitState::committed) return result;
  return failed(*group, std::move(result));
}

bool Committer::settle() {
  if (fenced_ || kept_.empty()) return false;
  if (ensure_connected()) return true;
  if (auto failure = commit_undone(number_of(*kept_.back().group) + 1)) {
    if (!connection_->alive()) connected_ = false;
    return failure->state != CommitState::fenced;
  }
  const auto positions = connection_->run("log_positions");
  if (positions) note_flushed(positions->row(0));
  if (!connection_->alive()) connected_ = false;
  return !kept_.empty();
}

void Committer::check_connection() {
  if (fenced_) return;
  if (connection_ && connection_->alive()) (void)connection_->run("ping");
  (void)ensure_connected();
}

void Committer::give_delegation() {
  is_delegated_ = false;
  // A session that is gone has given it back.
  if (connection_ && connection_->alive())
    (void)connection_->run("give_delegation", Params().add(lease_.attached.tenant));
}

std::optional<Committer::Returned> Committer::take_delegation() {
  if (ensure_connected()) return std::nullopt;
  if (!connection_->run("take_delegation", Params().add(lease_.attached.tenant)))
    return std::nullopt;
  const auto told = take_changes();
  if (!told) give_delegation();
  is_delegated_ = told.has_value();
  return told;
}

// What happened while it was away. Nobody is in the middle of a change now.
std::optional<Committer::Returned> Committer::take_changes() {
  const Params tree = Params().add(lease_.attached.tenant);
  const bool queued = connection_->queue("changes_since", Params().add(last_change_)) &&
                      connection_->queue("add_pending_usage", tree) &&
                      connection_->queue("usage", tree) && connection_->queue("prune_changes");
  const Answers answers = connection_->finish();
  if (!queued || answers.failure) return std::nullopt;
  Returned returned{.changed = {}, .last_change = last_change_, .usage = {}};
  const PgResult& changes = answers.results[0];
  for (int i = 0; i < changes.rows(); i++) {
    returned.changed.push_back(changes.row(i).uuid(0));
    returned.last_change = std::max(returned.last_change, changes.row(i).integer(1));
  }
  last_change_ = returned.last_change;
  const Row usage = answers.results[2].row(0);
  returned.usage = {usage.integer(0), usage.integer(1), usage.integer(2)};
  return returned;
}

std::optional<CommitResult> Committer::ensure_connected() {
  if (connection_ && connection_->alive()) return std::nullopt;
  connected_ = false;
  auto failure = reconnect();
  connected_ = !failure;
  return failure;
}

CommitResult Committer::failed(const Group& group, CommitResult result) {
  if (result.state == CommitState::fenced) fenced_ = result.error;
  if (result.state == CommitState::refused) {
    log::error("group {} is refused: {}", number_of(group), result.error.what);
  }
  return result;
}

std::optional<CommitResult> Committer::reconnect() {
  connection_.reset();
  if (context_.before_reconnect) context_.before_reconnect();
  auto connection = open_session(context_);
  if (!connection) {
    return CommitResult{CommitState::retry, {EIO, connection.error().text(), {}}};
  }
  const Retaken retaken = retake_tree(**connection, lease_.attached.tenant, lease_.epoch);
  if (retaken.state != CommitState::committed) return CommitResult{retaken.state, retaken.error};
  // Writers came in when the former session ended. Not while they may: the lock counts how often it
  // was taken.
  if (is_delegated_) {
    const auto taken = (*connection)->run("take_delegation", Params().add(lease_.attached.tenant));
    if (!taken) return CommitResult{CommitState::retry, {EIO, taken.error().text(), {}}};
  }
  connection_ = std::move(*connection);
  last_group_ = retaken.last_group;
  // Positions in the log of a server that crashed mean nothing in what it writes now.
  for (Kept& kept : kept_) kept.written = 0;
  log::info("connected to the database again");
  return is_delegated_ ? note_missed() : std::nullopt;
}

std::optional<CommitResult> Committer::note_missed() {
  const auto changes = connection_->run("changes_since", Params().add(last_change_));
  if (!changes) {
    connection_.reset();  // to be asked again
    return CommitResult{CommitState::retry, {EIO, changes.error().text(), {}}};
  }
  for (int i = 0; i < changes->rows(); i++) {
    missed_.push_back(changes->row(i).uuid(0));
    last_change_ = std::max(last_change_, changes->row(i).integer(1));
  }
  return std::nullopt;
}

CommitResult Committer::commit_after(const std::shared_ptr<const Group>& group) {
  const std::int64_t number = number_of(*group);
  if (auto failure = commit_undone(number)) return std::move(*failure);
  // In the database already: an earlier attempt of unknown end that went well.
  if (last_group_ >= number) {
    keep(group, group->durable);
    return with_usage(*group, {});
  }
  const bool durable = group->durable || kept_bytes_ >= kKeptBytes;
  CommitResult result = send(*group, durable);
  if (result.state != CommitState::committed) return result;
  last_group_ = number;
  keep(group, durable);
  return with_usage(*group, std::move(result));
}

// Only the database knows what was cloned or restored. Unless it tells, the group is sent, and
// found, again.
CommitResult Committer::with_usage(const Group& group, CommitResult result) {
  if (!group.counts_itself()) return result;
  const auto usage = connection_->run("usage", Params().add(lease_.attached.tenant));
  if (!usage) return commit_result(usage.error(), true);
  const Row row = usage->row(0);
  result.usage = {row.integer(0), row.integer(1), row.integer(2)};
  return result;
}

// Groups that the server had committed and lost when it died.
std::optional<CommitResult> Committer::commit_undone(std::int64_t before) {
  while (last_group_ < before - 1) {
    std::shared_ptr<const Group> next;
    for (const Kept& kept : kept_) {
      if (number_of(*kept.group) == last_group_ + 1) next = kept.group;
    }
    if (!next) {
      return CommitResult{CommitState::fenced,
                          {EIO,
                           fmt::format("the database is at group {}, older than what it had "
                                       "committed (restored from a backup?)",
                                       last_group_),
                           {}}};
    }
    CommitResult result = send(*next, false);
    if (result.state != CommitState::committed) return result;
    last_group_++;
    log::info("group {} is committed again after the server lost it", last_group_);
  }
  return std::nullopt;
}

CommitResult Committer::send(const Group& group, bool durable) {
  if (!missed_.empty()) return send_without_missed(group, durable);
  return send_all(group, durable);
}

CommitResult Committer::send_all(const Group& group, bool durable) {
  CommitResult result = send_whole(group, durable);
  if (result.state != CommitState::refused) return result;
  return send_accepted(group, durable);
}

// What others have changed meanwhile stays theirs: of two who did not know of each other, the one
// who committed has it.
CommitResult Committer::send_without_missed(const Group& group, bool durable) {
  Group rest = group;
  std::vector<Refusal> refused;
  for (const Uuid& id : missed_) {
    if (!drop_owner(rest, id)) continue;
    log::error("{} is not stored: an SQL client changed it while there was no connection",
               id.text());
    refused.push_back({id, "changed by others"});
  }
  CommitResult result = send_all(rest, durable);
  if (result.state == CommitState::committed)
    result.refused.insert(result.refused.end(), refused.begin(), refused.end());
  return result;
}

PgExpected<void> Committer::queue_begin(const Group& group, bool durable) {
  return connection_->queue("begin_group", Params()
                                               .add(lease_.attached.tenant)
                                               .add(lease_.epoch)
                                               .add(number_of(group))
                                               .add(durable)
                                               .add(group.usage.files)
                                               .add(group.usage.folders)
                                               .add(group.usage.bytes));
}

PgExpected<void> Committer::queue_group(const Group& group, bool durable) {
  TRY(queue_begin(group, durable));
  return write_rows(*connection_, group, lease_, mime_);
}

// One pipeline, and so one transaction, without the cost of statements that begin and end it.
CommitResult Committer::send_whole(const Group& group, bool durable) {
  const auto queued = queue_group(group, durable);
  const std::size_t statements = connection_->queued();
  const Answers answers = connection_->finish();
  if (!answers.results.empty()) note_flushed(answers.results[0].row(0));
  if (!queued) return commit_result(queued.error(), false);
  if (!answers.failure) return {};
  const PgFailure& failure = *answers.failure;
  const bool before_commit = answers.results.size() < statements && !failure.sqlstate.empty();
  return commit_result(failure, failure.lost && !before_commit);
}

// A group that was refused whole, without those whose rows are the cause.
CommitResult Committer::send_accepted(const Group& group, bool durable) {
  const auto give_up = [&](const PgFailure& failure, bool in_doubt) {
    if (connection_->alive()) (void)connection_->run("rollback");
    return commit_result(failure, in_doubt);
  };
  if (const auto begun = connection_->run("begin"); !begun) return give_up(begun.error(), false);
  if (auto queued = queue_begin(group, durable); !queued) return give_up(queued.error(), false);
  if (const Answers begun = connection_->finish(); begun.failure) {
    return give_up(*begun.failure, false);
  }
  auto refused = write_accepted_rows(*connection_, group, lease_, mime_);
  if (!refused) return give_up(refused.error(), false);
  if (const auto committed = connection_->run("commit"); !committed) {
    return give_up(committed.error(), committed.error().lost);
  }
  for (const Refusal& refusal : *refused) {
    log::error("{} is not stored, the database refuses it: {}", refusal.owner.text(), refusal.why);
  }
  return {.refused = std::move(*refused)};
}

void Committer::note_flushed(const Row& positions) {
  const std::int64_t flushed = positions.integer(0), written = positions.integer(1);
  for (Kept& kept : kept_) {
    if (kept.written == 0 && number_of(*kept.group) <= last_group_) kept.written = written;
  }
  while (!kept_.empty() && kept_.front().written != 0 && kept_.front().written <= flushed) {
    kept_bytes_ -= kept_.front().bytes;
    kept_.pop_front();
  }
}

void Committer::keep(const std::shared_ptr<const Group>& group, bool durable) {
  if (durable) {
    kept_.clear();
    kept_bytes_ = 0;
    return;
  }
  kept_.push_back({group, bytes_of(*group), 0});
  kept_bytes_ += kept_.back().bytes;
}

}  // namespace tusk::store
