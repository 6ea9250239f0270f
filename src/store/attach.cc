#include "attach.h"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <random>
#include <thread>

#include "rows_reader.h"
#include "sqlstate.h"

namespace tusk::store {
namespace {

using Clock = std::chrono::steady_clock;

// PostgreSQL notices the end of a client a moment after it.
constexpr auto kGraceOfLiving = std::chrono::seconds(1);
constexpr auto kGraceOfDead = std::chrono::seconds(15);
constexpr auto kGraceOfWriters = std::chrono::seconds(10);
constexpr auto kGraceOfOwn = std::chrono::seconds(2);
constexpr auto kAskAgain = std::chrono::milliseconds(20);

constexpr std::string_view kDefaultTenant = "default";

Result<PgResult> run(Connection& connection, std::string_view name, const Params& params = {}) {
  auto result = connection.run(name, params);
  if (!result) return std::unexpected(setup_error(result.error()));
  return std::move(*result);
}

Uuid new_id() {
  std::random_device device;
  const auto random64 = [&] { return std::uint64_t{device()} << 32 | device(); };
  const auto since = std::chrono::system_clock::now().time_since_epoch();
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(since).count();
  return Uuid::v7(static_cast<std::uint64_t>(ms), random64(), random64());
}

std::string host_name() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "unknown";
}

struct Tree {
  TenantId tenant;
  FolderId root;
};

Result<Tree> find_tree(Connection& connection, const std::string& name) {
  const auto find = [&] {
    return run(connection, "find_tenant", Params().add(std::string_view(name)));
  };
  TRY_ASSIGN(PgResult found, find());
  if (found.rows() == 0) {
    if (name != kDefaultTenant) {
      return fail(ENOENT, fmt::format("there is no tenant '{}' in the database", name),
                  "its name must be in tusk.tenants; without --tenant the tree is 'default'");
    }
    TRY(run(connection, "create_tenant",
            Params().add(new_id()).add(std::string_view(name)).add(new_id())));
    TRY_ASSIGN(found, find());
    if (found.rows() == 0) return fail(EIO, "the tenant was removed while it was being made");
  }
  return Tree{{found.row(0).uuid(0)}, {found.row(0).uuid(1)}};
}

Result<void> create_missing_rows(Connection& connection, const Tree& tree) {
  // Who mounts a new tree must be able to write in it.
  TRY(run(connection, "create_root",
          Params()
              .add(tree.root)
              .add(tree.tenant)
              .add(std::int64_t{::geteuid()})
              .add(std::int64_t{::getegid()})));
  TRY(run(connection, "create_mount", Params().add(tree.tenant)));
  return {};
}

struct Holder {
  std::int64_t epoch = 0;
  std::string host;
  pid_t pid = 0;
  std::string since;
};

Result<Holder> holder_of(Connection& connection, TenantId tenant) {
  TRY_ASSIGN(PgResult result, run(connection, "holder", Params().add(tenant)));
  if (result.rows() == 0) return Holder{};
  const Row row = result.row(0);
  return Holder{row.integer(0), std::string(row.text(3)), static_cast<pid_t>(row.integer(4)),
                std::string(row.text(5))};
}

bool is_dead(const Holder& holder) {
  return holder.host == host_name() && holder.pid > 0 && ::kill(holder.pid, 0) != 0 &&
         errno == ESRCH;
}

PgExpected<bool> try_lock(Connection& connection, std::string_view how, TenantId tenant) {
  auto taken = connection.run(how, Params().add(tenant));
  if (!taken) return std::unexpected(std::move(taken).error());
  return taken->row(0).boolean(0);
}

Result<void> take_delegation(Connection& connection, TenantId tenant, const std::string& name) {
  const auto started = Clock::now();
  while (true) {
    auto taken = try_lock(connection, "try_delegation", tenant);
    if (!taken) return std::unexpected(setup_error(taken.error()));
    if (*taken) return {};
    if (Clock::now() - started > kGraceOfWriters) break;
    std::this_thread::sleep_for(kAskAgain);
  }
  TRY_ASSIGN(const PgResult found, run(connection, "delegation_holder", Params().add(tenant)));
  if (found.rows() == 0)
    return fail(EBUSY, fmt::format("SQL clients write in tree '{}'", name), "try again");
  const Row who = found.row(0);
  return fail(EBUSY,
              fmt::format("an SQL transaction is writing in tree '{}' for {} s (backend {}, user "
                          "{}, application '{}')",
                          name, who.integer(4), who.integer(0), who.text(1), who.text(2)),
              "let it end, or end it with pg_terminate_backend");
}

}  // namespace

Result<void> lock_tree(Connection& connection, TenantId tenant, const std::string& name) {
  const auto started = Clock::now();
  while (true) {
    auto taken = try_lock(connection, "take_tree", tenant);
    if (!taken) return std::unexpected(setup_error(taken.error()));
    if (*taken) return take_delegation(connection, tenant, name);
    TRY_ASSIGN(const Holder holder, holder_of(connection, tenant));
    if (Clock::now() - started > (is_dead(holder) ? kGraceOfDead : kGraceOfLiving)) {
      return fail(EBUSY,
                  fmt::format("tree '{}' is mounted by host {} pid {} since {}", name, holder.host,
                              holder.pid, holder.since),
                  "unmount it there, or mount another tree with --tenant");
    }
    std::this_thread::sleep_for(kAskAgain);
  }
}

Result<PgResult> begin_tenure(Connection& connection, TenantId tenant,
                              const std::string& mountpoint) {
  return run(connection, "open_epoch",
             Params()
                 .add(tenant)
                 .add(std::string_view(host_name()))
                 .add(std::int64_t{::getpid()})
                 .add(std::string_view(mountpoint)));
}

namespace {

// One transaction: a new epoch, and the tree as the last group left it, without the remains of a
// mount that died.
Result<std::int64_t> open_epoch(Connection& connection, const Tree& tree,
                                const std::string& mountpoint, GroupNo& last_group) {
  TRY(run(connection, "begin"));
  TRY(run(connection, "scan_freely"));
  TRY_ASSIGN(const PgResult opened, begin_tenure(connection, tree.tenant, mountpoint));
  if (opened.rows() != 1) return fail(EIO, "the row of the tree in tusk.mounts is missing");
  last_group = GroupNo{opened.row(0).integer(1)};
  const Params of_tree = Params().add(tree.tenant);
  TRY(run(connection, "purge_staging_chunks", of_tree));
  TRY(run(connection, "purge_staging", of_tree));
  TRY_ASSIGN(const PgResult orphans, run(connection, "purge_orphans", of_tree));
  if (orphans.rows() > 0) {
    TRY(run(connection, "recount", of_tree));
    TRY(run(connection, "forget_pending_usage", of_tree));
  } else {
    TRY(run(connection, "add_pending_usage", of_tree));
  }
  TRY(run(connection, "commit"));
  return opened.row(0).integer(0);
}

}  // namespace

Result<Lease> take_tree(Connection& connection, const PostgresOptions& options) {
  TRY_ASSIGN(const Tree tree, find_tree(connection, options.tenant));
  TRY(create_missing_rows(connection, tree));
  TRY(lock_tree(connection, tree.tenant, options.tenant));
  Lease lease;
  lease.attached.tenant = tree.tenant;
  TRY_ASSIGN(const PgResult change, run(connection, "last_change"));
  lease.last_change = change.row(0).integer(0);
  TRY_ASSIGN(lease.epoch,
             open_epoch(connection, tree, options.mountpoint, lease.attached.last_group));
  TRY_ASSIGN(const PgResult usage, run(connection, "usage", Params().add(tree.tenant)));
  lease.attached.usage = {usage.row(0).integer(0), usage.row(0).integer(1),
                          usage.row(0).integer(2)};
  TRY_ASSIGN(const PgResult snapshot, run(connection, "last_snapshot", Params().add(tree.tenant)));
  lease.attached.last_snapshot = {snapshot.row(0).integer(0)};
  TRY_ASSIGN(const PgResult root, run(connection, "root_folder", Params().add(tree.root)));
  if (root.rows() != 1) return fail(EIO, "the root folder of the tree is missing");
  lease.attached.root = read_folder(root.row(0));
  lease.attached.root.policy = read_settings(root.row(0));
  return lease;
}

Retaken retake_tree(Connection& connection, TenantId tenant, std::int64_t epoch) {
  const auto failed = [](const PgFailure& failure) {
    return Retaken{CommitState::retry, {EIO, failure.text(), {}}, 0};
  };
  const auto fenced = [](const Error& error) { return Retaken{CommitState::fenced, error, 0}; };
  const auto started = Clock::now();
  while (true) {
    auto taken = try_lock(connection, "take_tree", tenant);
    if (!taken) return failed(taken.error());
    if (*taken) break;
    const auto holder = holder_of(connection, tenant);
    if (holder && holder->epoch != epoch) {
      return fenced({EIO,
                     fmt::format("the tree was taken by host {} pid {} since {}", holder->host,
                                 holder->pid, holder->since),
                     {}});
    }
    // Our own former session, perhaps on a network that no longer tells it of our end.
    auto ended = connection.run("end_old_backend", Params().add(tenant).add(epoch));
    if (!ended && ended.error().lost) return failed(ended.error());
    if (Clock::now() - started > kGraceOfOwn) {
      return {CommitState::retry, {EIO, "a former session still holds the tree", {}}, 0};
    }
    std::this_thread::sleep_for(kAskAgain);
  }
  auto kept = connection.run("keep_epoch", Params().add(tenant).add(epoch));
  if (!kept) return failed(kept.error());
  if (kept->rows() == 0) return fenced({EIO, "the tree was taken by another mount", {}});
  return {CommitState::committed, {}, kept->row(0).integer(0)};
}

}  // namespace tusk::store
