#include "committer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

#include "group_owners.h"
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
                     const Lease& lease, std::function<bool()> has_others)
    : context_(context),
      connection_(std::move(connection)),
      lease_(lease),
      last_group_(static_cast<std::int64_t>(lease.attached.last_group)),
      known_(lease.known_to),
      turns_(lease.mount()),
      has_others_(std::move(has_others)),
      lost_found_(lease) {
  note_database();
}

std::string Committer::database() const {
  const std::lock_guard lock(mutex_);
  return database_;
}

void Committer::note_database() {
  const std::lock_guard lock(mutex_);
  database_ = connection_->database();
}

CommitResult Committer::commit(const std::shared_ptr<const Group>& group) {
  if (fenced_) return {CommitState::fenced, *fenced_};
  if (auto failure = ensure_connected()) return failed(*group, std::move(*failure));
  CommitResult result = commit_after(group);
  if (!connection_->alive()) connected_ = false;
  if (result.state == CommitState::committed) {
    result.displaced = lost_found_.take_displaced();
    return result;
  }
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
  if (positions && positions->row(0).boolean(2)) await_standbys();
  if (!connection_->alive()) connected_ = false;
  return !kept_.empty();
}

// What a server has on its disk dies with it, unless its successor has it too.
void Committer::await_standbys() {
  const auto safe =
      connection_->run("await_standbys", Params().add(lease_.attached.tenant).add(lease_.epoch));
  if (safe && safe->touched() == 1) keep_nothing();
}

void Committer::check_connection() {
  if (fenced_) return;
  if (connection_ && connection_->alive()) (void)connection_->run("ping");
  const auto failure = ensure_connected();
  if (!failure || failure->state != CommitState::fenced) return;
  fenced_ = failure->error;
  log::error("{}: it writes no more", fenced_->what);
}

void Committer::leave() {
  if (fenced_ || !connection_ || !connection_->alive()) return;
  BinaryArray self(ElementType::int8);
  self.add(lease_.epoch);
  Params params;
  params.add(lease_.attached.tenant).add_view(self.finish());
  (void)connection_->run("forget_mounts", params);
}

std::vector<Uuid> Committer::give_delegation() {
  is_delegated_ = false;
  // What was found at a reconnect is known here, and not asked for again.
  std::vector<Uuid> unknown = lost_found_.reset();
  unknown.insert(unknown.end(), missed_.begin(), missed_.end());
  missed_.clear();
  // A session that is gone has given it back.
  if (connection_ && connection_->alive())
    (void)connection_->run("give_delegation", Params().add(lease_.attached.tenant));
  return unknown;
}

std::optional<Committer::Returned> Committer::take_delegation() {
  if (ensure_connected()) return std::nullopt;
  const auto taken = turns_.wait(*connection_, "take_delegation");
  if (!taken || !*taken) return std::nullopt;
  const auto told = take_changes();
  if (!told) give_delegation();
  is_delegated_ = told.has_value();
  return told;
}

// What happened while it was away. Nobody is in the middle of a change now.
std::optional<Committer::Returned> Committer::take_changes() {
  const Params tree = Params().add(lease_.attached.tenant);
  const bool queued =
      connection_->queue("changes_since", changes_since(known_.since(), lease_.mount())) &&
      connection_->queue("add_pending_usage", tree) && connection_->queue("usage", tree) &&
      connection_->queue("prune_changes");
  const Answers answers = connection_->finish();
  if (!queued || answers.failure) return std::nullopt;
  Returned returned{.others = read_changes(answers.results[0]), .usage = {}};
  known_.learn(returned.others);
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
  const Retaken retaken = retake_tree(**connection, lease_.mount());
  if (retaken.state != CommitState::committed) return CommitResult{retaken.state, retaken.error};
  // Writers came in when the former session ended. Not while they may: the lock counts how often it
  // was taken.
  if (is_delegated_) {
    const auto taken = turns_.wait(**connection, "take_delegation");
    if (!taken) return CommitResult{CommitState::retry, {EIO, taken.error().text(), {}}};
    if (!*taken) return CommitResult{CommitState::retry, {EIO, "others write in the tree", {}}};
  }
  const auto others =
      (*connection)->run("other_mounts", Params().add(lease_.attached.tenant).add(lease_.epoch));
  if (!others) return CommitResult{CommitState::retry, {EIO, others.error().text(), {}}};
  met_others_ = others->row(0).integer(0) > 0;
  connection_ = std::move(*connection);
  last_group_ = retaken.last_group;
  // Positions in the log of a server that crashed mean nothing in what it writes now.
  for (Kept& kept : kept_) kept.written = 0;
  note_database();
  log::info("connected to the database again: {}", database());
  return is_delegated_ ? note_missed() : std::nullopt;
}

std::optional<CommitResult> Committer::note_missed() {
  const auto changes =
      connection_->run("changes_since", changes_since(known_.since(), lease_.mount()));
  if (!changes) {
    connection_.reset();  // to be asked again
    return CommitResult{CommitState::retry, {EIO, changes.error().text(), {}}};
  }
  for (const Uuid& id : known_.learn(read_changes(*changes))) missed_.insert(id);
  return std::nullopt;
}

CommitResult Committer::commit_after(const std::shared_ptr<const Group>& group) {
  const std::int64_t number = number_of(*group);
  if (auto failure = commit_undone(number)) return std::move(*failure);
  // In the database already: an earlier attempt of unknown end that went well.
  if (last_group_ >= number) {
    lost_found_.committed(group->number);
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
                                       "committed (restored from a backup, or taken over by a "
                                       "standby that lacked the last groups?)",
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
  if (is_behind()) return send_accepted(group, durable);
  CommitResult result = send_whole(group, durable);
  if (result.state != CommitState::refused) return result;
  return send_accepted(group, durable);
}

PgExpected<void> Committer::queue_begin(const Group& group, bool durable) {
  TRY(connection_->queue("begin_group", Params()
                                            .add(lease_.attached.tenant)
                                            .add(lease_.epoch)
                                            .add(number_of(group))
                                            .add(durable)
                                            .add(group.usage.files)
                                            .add(group.usage.folders)
                                            .add(group.usage.bytes)));
  return queue_set_aside(group);
}

PgExpected<void> Committer::queue_set_aside(const Group& group) {
  if (!has_others()) return {};
  std::set<Uuid> written;
  for (const FileChange& change : group.files)
    if (change.has_content && !change.is_new) written.insert(change.row.id.uuid);
  for (const ChunkPut& put : group.chunk_puts) written.insert(put.file.uuid);
  if (written.empty()) return {};
  BinaryArray ids(ElementType::uuid);
  for (const Uuid& id : written) ids.add(id);
  Params params = Params().add(lease_.epoch);
  params.add_view(ids.finish());
  return connection_->queue("set_aside_staged", params);
}

PgExpected<void> Committer::queue_group(const Group& group, bool durable) {
  TRY(queue_begin(group, durable));
  TRY(write_rows(*connection_, group, lease_, mime_));
  TRY(queue_notes(group, {}));
  return connection_->queue("log_positions");
}

// After the rows: a clone notes what it has made.
PgExpected<void> Committer::queue_notes(const Group& group, const std::vector<Uuid>& touched) {
  if (!has_others()) return {};
  BinaryArray ids(ElementType::uuid), trees(ElementType::uuid);
  for (const Uuid& id : touched) ids.add(id);
  for (const Uuid& id : owners_of(group)) ids.add(id);
  if (!group.clones.empty() || !group.restores.empty()) {
    for (const Clone& clone : group.clones) trees.add(clone.target);
    for (const Restore& restore : group.restores) trees.add(restore.id);
    Params below = Params().add(lease_.epoch);
    below.add_view(trees.finish());
    TRY(connection_->queue("note_changes_below", below));
  }
  Params changed = Params().add(lease_.epoch);
  changed.add_view(ids.finish());
  return connection_->queue("note_changes", changed);
}

// One pipeline, and so one transaction, without the cost of statements that begin and end it.
CommitResult Committer::send_whole(const Group& group, bool durable) {
  const auto queued = queue_group(group, durable);
  const std::size_t statements = connection_->queued();
  const Answers answers = connection_->finish();
  if (!answers.results.empty()) note_flushed(answers.results[0].row(0));
  if (!queued) return commit_result(queued.error(), false);
  if (!answers.failure) {
    note_cost(answers);
    return {};
  }
  const PgFailure& failure = *answers.failure;
  const bool before_commit = answers.results.size() < statements && !failure.sqlstate.empty();
  return commit_result(failure, failure.lost && !before_commit);
}

// A group that was refused whole, or whose maker does not know what others did: without those whose
// rows are the cause.
CommitResult Committer::send_accepted(const Group& group, bool durable) {
  const auto give_up = [&](const PgFailure& failure, bool in_doubt) {
    if (connection_->alive()) (void)connection_->run("rollback");
    return commit_result(failure, in_doubt);
  };
  if (const auto begun = connection_->run("begin"); !begun) return give_up(begun.error(), false);
  CommitResult result;
  if (const auto written = write_accepted(group, durable, result); !written)
    return give_up(written.error(), false);
  if (const auto committed = connection_->run("commit"); !committed) {
    return give_up(committed.error(), committed.error().lost);
  }
  lost_found_.committed(group.number);
  for (const Refusal& refusal : result.refused) {
    log::error("{} is not stored, the database refuses it: {}", refusal.owner.text(), refusal.why);
  }
  return result;
}

PgExpected<void> Committer::write_accepted(const Group& group, bool durable, CommitResult& result) {
  TRY(queue_begin(group, durable));
  if (Answers begun = connection_->finish(); begun.failure)
    return std::unexpected(std::move(*begun.failure));
  TRY_ASSIGN(const Group rest, lost_found_.divert(*connection_, group, missed_));
  TRY_ASSIGN(result.refused, write_accepted_rows(*connection_, rest, lease_, mime_, lost_found_));
  // The group has counted without what others did.
  if (!missed_.empty() || lost_found_.has_found()) {
    TRY_ASSIGN(result.usage, lost_found_.settle(*connection_, group, rest));
  }
  TRY(queue_notes(rest, lost_found_.touched()));
  if (Answers noted = connection_->finish(); noted.failure)
    return std::unexpected(std::move(*noted.failure));
  return {};
}

void Committer::note_cost(const Answers& answers) {
  const auto position = [](const PgResult& positions) { return positions.row(0).integer(1); };
  const std::int64_t written = position(answers.results.back()) - position(answers.results.front());
  statements_.fetch_add(answers.results.size(), std::memory_order_relaxed);
  wal_bytes_.fetch_add(static_cast<std::uint64_t>(written), std::memory_order_relaxed);
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

void Committer::keep_nothing() {
  kept_.clear();
  kept_bytes_ = 0;
}

void Committer::keep(const std::shared_ptr<const Group>& group, bool durable) {
  if (durable) return keep_nothing();
  kept_.push_back({group, bytes_of(*group), 0});
  kept_bytes_ += kept_.back().bytes;
}

}  // namespace tusk::store
