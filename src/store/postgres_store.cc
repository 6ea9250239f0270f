#include <algorithm>
#include <cerrno>
#include <cstring>
#include <future>
#include <iterator>
#include <utility>

#include "attach.h"
#include "committer.h"
#include "delegation.h"
#include "file_locks.h"
#include "janitor.h"
#include "loads.h"
#include "object_place.h"
#include "postgres_past.h"
#include "session.h"
#include "sqlstate.h"
#include "tiers.h"
#include "tuskfs/base/log.h"
#include "tuskfs/store/migrate.h"
#include "tuskfs/store/postgres.h"
#include "worker.h"

namespace tusk::store {
namespace {

constexpr std::size_t kWaitingCommits = 16;
constexpr auto kTimeToLeave = std::chrono::seconds(3);

class PostgresStoreImpl final : public PostgresStore {
 public:
  PostgresStoreImpl(Executor& executor, std::unique_ptr<ConnectionContext> context,
                    std::unique_ptr<Connection> connection, Lookout lookout, Lease lease,
                    int schema_version, std::unique_ptr<objects::Objects> objects)
      : context_(std::move(context)),
        lease_(std::move(lease)),
        schema_version_(schema_version),
        committer_(*context_, std::move(connection), lease_,
                   [this] { return delegation_.presence().has_others(); }),
        tiers_(std::move(objects), lease_),
        delegation_(executor, std::move(lookout), lease_, [this] { check_connection(); }),
        loads_(executor, *context_) {
    delegation_.quota().set(lease_.attached.quota);
  }

  ~PostgresStoreImpl() override {
    delegation_.stop();
    leave();
    stop_waiting(*context_);
    janitor_.reset();
    loads_.close();
    commits_.close();
  }

  void start(const PostgresOptions& options) {
    commits_.start(
        "tusk-commit", [this] { return std::make_unique<Loader>(*context_); },
        [this] { return settle(); });
    loads_.start(std::max(options.loaders, 1));
    janitor_.emplace(
        *context_, lease_.attached.tenant, tiers_.objects(),
        Janitor::Plan{options.clean_first_after, options.clean_every, options.object_grace});
  }

  void load_folder(const FolderQuery& query, Callback<Result<FolderPage>> callback) override {
    loads_.ask<FolderPage>([query](Loader& loader) { return loader.folder(query); },
                           std::move(callback));
  }
  void load_inline(std::vector<FileId> ids,
                   Callback<Result<std::vector<InlineContent>>> callback) override {
    loads_.ask<std::vector<InlineContent>>(
        [ids = std::move(ids)](Loader& loader) { return loader.inline_contents(ids); },
        std::move(callback));
  }
  void load_chunks(const ChunkQuery& query,
                   Callback<Result<std::vector<Chunk>>> callback) override {
    loads_.ask<std::vector<Chunk>>(
        [this, query](Loader& loader) { return tiers_.read(query, loader); }, std::move(callback));
  }
  void load_xattrs(Uuid owner, Callback<Result<std::vector<XattrRow>>> callback) override {
    loads_.ask<std::vector<XattrRow>>([owner](Loader& loader) { return loader.xattrs(owner); },
                                      std::move(callback));
  }
  void load_links(FileId file, Callback<Result<std::vector<LinkRow>>> callback) override {
    loads_.ask<std::vector<LinkRow>>([file](Loader& loader) { return loader.links(file); },
                                     std::move(callback));
  }

  void load_entries(std::vector<Uuid> ids, Callback<Result<EntryRows>> callback) override {
    loads_.ask<EntryRows>([ids = std::move(ids)](Loader& loader) { return loader.entries(ids); },
                          std::move(callback));
  }

  void load_trashed(const TrashQuery& query, Callback<Result<TrashedEntry>> callback) override {
    loads_.ask<TrashedEntry>([query](Loader& loader) { return loader.trashed(query); },
                             std::move(callback));
  }
  void load_ownership(FolderId folder, uid_t owner, Callback<Result<bool>> callback) override {
    loads_.ask<bool>([folder, owner](Loader& loader) { return loader.owned(folder, owner); },
                     std::move(callback));
  }

  void load_size(FolderId folder, std::optional<uid_t> owner,
                 Callback<Result<Usage>> callback) override {
    loads_.ask<Usage>([folder, owner](Loader& loader) { return loader.size(folder, owner); },
                      std::move(callback));
  }
  Quota quota() const override { return delegation_.quota().get(); }

  bool has_references() const override { return delegation_.has_references(); }
  void load_reference(Uuid entry, Callback<Result<std::string>> callback) override {
    loads_.ask<std::string>([entry](Loader& loader) { return loader.reference(entry); },
                            std::move(callback));
  }

  void commit(std::shared_ptr<const Group> group, Callback<CommitResult> callback) override {
    auto answer = std::make_shared<Callback<CommitResult>>(std::move(callback));
    const bool queued = commits_.push([this, group = std::move(group), answer](Loader& loader) {
      CommitResult result = guarded_commit(group, loader);
      // Before the next group is made.
      if (committer_.is_behind()) delegation_.recall();
      loads_.reply(std::move(*answer), std::move(result));
    });
    if (queued) return;
    loads_.reply(std::move(*answer),
                 CommitResult{CommitState::retry, {EIO, "too many groups wait", {}}});
  }

  void set_delegate(Delegate* delegate) override { delegation_.set_delegate(delegate); }
  void give_back() override {
    commits_.push([this](Loader&) { delegation_.give(committer_); });
  }
  void take_back() override {
    commits_.push([this](Loader&) { delegation_.take(committer_); });
  }

  void share() override {
    delegation_.presence().share();
    delegation_.look_soon();
  }
  void rest() override {
    delegation_.presence().rest();
    delegation_.look_soon();
  }
  void wake() override {
    delegation_.presence().wake();
    delegation_.look_soon();
  }
  void look(Callback<Result<void>> callback) override {
    loads_.ask<void>(
        [this](Loader& loader) -> Result<void> {
          TRY_ASSIGN(const auto found, loader.ask({{"changes_since", delegation_.question()}}));
          delegation_.learn(read_changes(found[0]));
          return {};
        },
        std::move(callback));
  }
  bool has_others() const override { return delegation_.presence().has_others(); }
  bool is_certain() const override { return delegation_.is_certain(); }
  void sustain(std::vector<FileId> files, bool is_open) override {
    loads_.ask<void>(
        [this, files = std::move(files), is_open](Loader& loader) -> Result<void> {
          BinaryArray ids(ElementType::uuid);
          for (const FileId file : files) ids.add(file);
          Params params = Params().add(lease_.attached.tenant).add(lease_.epoch);
          params.add_view(ids.finish());
          TRY(loader.ask({{is_open ? "sustain" : "unsustain", params}}));
          return {};
        },
        [](Result<void> done) {
          if (!done) log::warning("cannot note which files are open: {}", done.error().what);
        });
  }

  void set_locks(const LockQuestion& question, Callback<Result<bool>> callback) override {
    loads_.ask<bool>([mount = lease_.mount(), question](
                         Loader& loader) { return store::set_locks(loader, mount, question); },
                     std::move(callback));
  }
  void find_lock(const LockQuestion& question,
                 Callback<Result<std::optional<FileLock>>> callback) override {
    loads_.ask<std::optional<FileLock>>(
        [mount = lease_.mount(), question](Loader& loader) {
          return store::find_lock(loader, mount, question);
        },
        std::move(callback));
  }

  PastStore& past() override { return past_; }

  const Attached& attached() const override { return lease_.attached; }

  State state() const override {
    const Committer::Cost cost = committer_.cost();
    auto [lent_to, lent_at] = delegation_.lent();
    return {.connected = committer_.connected(),
            .database = committer_.database(),
            .schema_version = schema_version_,
            .statements = context_->statements.load(std::memory_order_relaxed),
            .group_statements = cost.statements,
            .wal_bytes = cost.wal_bytes,
            .others = delegation_.presence().others(),
            .lent_to = std::move(lent_to),
            .lent_at = lent_at};
  }

 private:
  // What goes outside of the database is there before the rows say so.
  CommitResult commit_tiers(const std::shared_ptr<const Group>& group, Loader& loader) {
    auto written = tiers_.write(group, loader);
    if (!written) return {CommitState::retry, std::move(written).error()};
    CommitResult result = committer_.commit(written->rows);
    if (result.state != CommitState::committed) return result;
    tiers_.settle(*written->rows);
    std::ranges::move(written->refused, std::back_inserter(result.refused));
    return result;
  }

  CommitResult guarded_commit(const std::shared_ptr<const Group>& group, Loader& loader) {
    try {
      return commit_tiers(group, loader);
    } catch (const std::exception& e) {
      log::error("cannot commit: {}", e.what());
      committer_.forget_connection();
      return {CommitState::unknown, {EIO, e.what(), {}}};
    }
  }

  // After all that was to be committed. A database that is away learns of it by our end.
  void leave() {
    const auto left = std::make_shared<std::promise<void>>();
    const bool queued = commits_.push([this, left](Loader&) {
      delegation_.hang_up();
      committer_.leave();
      left->set_value();
    });
    if (queued) left->get_future().wait_for(kTimeToLeave);
  }

  // On the watching thread.
  void check_connection() {
    const bool queued = commits_.push([this](Loader&) {
      committer_.check_connection();
      if (committer_.is_behind()) delegation_.recall();
      delegation_.checked();
    });
    if (!queued) delegation_.checked();  // it will see that again
  }

  bool settle() {
    try {
      const bool is_unsettled = committer_.settle();
      // It may have come back to a server on which others wrote meanwhile.
      if (committer_.is_behind()) delegation_.recall();
      return is_unsettled;
    } catch (const std::exception& e) {
      log::error("cannot look after what is committed: {}", e.what());
      committer_.forget_connection();
      return true;
    }
  }

  std::unique_ptr<ConnectionContext> context_;
  const Lease lease_;
  const int schema_version_;
  Committer committer_;  // its commit() on the committing thread only
  Tiers tiers_;
  Delegation delegation_;
  WorkQueue<Loader> commits_{kWaitingCommits};
  Loads loads_;
  PostgresPast past_{loads_, tiers_, lease_.attached.tenant};
  std::optional<Janitor> janitor_;
};

Result<int> check_schema(const PostgresOptions& options) {
  TRY_ASSIGN(const SchemaStatus status, schema_status(options.conninfo));
  if (status.version == status.newest) return status.version;
  return fail(EINVAL,
              status.empty ? std::string("the database has no TuskFS schema")
                           : fmt::format("the schema is at version {}, this TuskFS needs {}",
                                         status.version, status.newest),
              "run `tuskfs migrate DB up`, or mount with --migrate");
}

}  // namespace

Result<std::unique_ptr<PostgresStore>> PostgresStore::attach(const PostgresOptions& options,
                                                             Executor& executor) {
  TRY_ASSIGN(const int schema_version, check_schema(options));
  TRY_ASSIGN(auto context, make_context(options));
  TRY_ASSIGN(auto connection, open_first_session(*context));
  TRY_ASSIGN(auto lookout_context, make_context(options));
  lookout_context->servers = context->servers;
  TRY_ASSIGN(auto lookout_connection, open_first_session(*lookout_context));
  Lookout lookout{std::move(lookout_context), std::move(lookout_connection)};
  TRY_ASSIGN(Lease lease, take_tree(*connection, *lookout.connection, options));
  TRY_ASSIGN(auto objects, open_objects(*connection, options, lease));
  auto store = std::make_unique<PostgresStoreImpl>(
      executor, std::move(context), std::move(connection), std::move(lookout), std::move(lease),
      schema_version, std::move(objects));
  store->start(options);
  return store;
}

}  // namespace tusk::store
