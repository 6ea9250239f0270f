#include "attach.h"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <random>
#include <thread>
#include <vector>

#include "mount_rows.h"
#include "rows_reader.h"
#include "sqlstate.h"
#include "tree_quota.h"

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

bool is_dead(const OtherMount& mount) {
  return !mount.is_alive && mount.host == host_name() && mount.pid > 0 &&
         ::kill(static_cast<pid_t>(mount.pid), 0) != 0 && errno == ESRCH;
}

Result<std::vector<MountRow>> known_mounts(Connection& connection, TenantId tenant) {
  auto mounts = mounts_of(connection, tenant);
  if (!mounts) return std::unexpected(setup_error(mounts.error()));
  return std::move(*mounts);
}

PgExpected<bool> try_lock(Connection& connection, std::string_view how, const Params& params) {
  auto taken = connection.run(how, params);
  if (!taken) return std::unexpected(std::move(taken).error());
  return taken->row(0).boolean(0);
}

Error busy_with_writer(Connection& connection, TenantId tenant, const std::string& name) {
  const auto writer = writer_of(connection, tenant, Delegated::holds);
  if (!writer) return {EBUSY, fmt::format("others write in tree '{}'", name), "try again"};
  return {EBUSY, fmt::format("tree '{}' is written by {}", name, writer->text()),
          "let it end, or end it with pg_terminate_backend"};
}

// Mounts give the delegation when they are asked, by somebody who waits for it.
Result<void> take_delegation(Connection& connection, const MountId& mount,
                             const std::string& name) {
  const auto started = Clock::now();
  Turns turns(mount);
  while (Clock::now() - started < kGraceOfWriters) {
    const auto taken = turns.wait(connection, "take_delegation");
    if (!taken) return std::unexpected(setup_error(taken.error()));
    if (*taken) return {};
  }
  return std::unexpected(busy_with_writer(connection, mount.tenant, name));
}

Result<void> be_present(Connection& watch, const MountId& mount, const std::string& name) {
  const auto started = Clock::now();
  Turns turns(mount);
  while (Clock::now() - started < kGraceOfWriters) {
    const auto taken = turns.wait(watch, "be_present");
    if (!taken) return std::unexpected(setup_error(taken.error()));
    if (*taken) return {};
  }
  return fail(EBUSY, fmt::format("another mount of tree '{}' does not let others in", name),
              "see its log, and tuskfs tenant list");
}

Result<void> share_tree(Connection& connection, TenantId tenant, const std::string& name) {
  const auto started = Clock::now();
  while (true) {
    auto taken = try_lock(connection, "share_tree", Params().add(tenant));
    if (!taken) return std::unexpected(setup_error(taken.error()));
    if (*taken) return {};
    if (Clock::now() - started > kGraceOfLiving) break;
    std::this_thread::sleep_for(kAskAgain);
  }
  TRY_ASSIGN(const PgResult who, run(connection, "tree_holder", Params().add(tenant)));
  return fail(EBUSY,
              who.rows() == 0
                  ? fmt::format("tree '{}' is being repaired or removed", name)
                  : fmt::format("tree '{}' is being repaired or removed (backend {}, user {})",
                                name, who.row(0).integer(0), who.row(0).text(1)),
              "wait for it, or mount another tree with --tenant");
}

}  // namespace

Uuid new_id() {
  std::random_device device;
  const auto random64 = [&] { return std::uint64_t{device()} << 32 | device(); };
  const auto since = std::chrono::system_clock::now().time_since_epoch();
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(since).count();
  return Uuid::v7(static_cast<std::uint64_t>(ms), random64(), random64());
}

Result<void> lock_tree(Connection& connection, TenantId tenant, const std::string& name) {
  const auto started = Clock::now();
  while (true) {
    auto taken = try_lock(connection, "take_tree", Params().add(tenant));
    if (!taken) return std::unexpected(setup_error(taken.error()));
    if (*taken) return take_delegation(connection, {tenant, 0}, name);
    TRY_ASSIGN(const auto mounts, known_mounts(connection, tenant));
    if (Clock::now() - started > kGraceOfLiving && !mounts.empty()) {
      const OtherMount& first = mounts.front().mount;
      return fail(EBUSY,
                  fmt::format("tree '{}' is mounted by host {} pid {} since {}", name, first.host,
                              first.pid, first.since),
                  "unmount it there, or take another tree with --tenant");
    }
    if (Clock::now() - started > kGraceOfDead)
      return fail(EBUSY, fmt::format("tree '{}' is in use", name), "try again");
    std::this_thread::sleep_for(kAskAgain);
  }
}

namespace {

// A mount of a process that has died does not come back with what it could not commit.
Result<void> forget_dead_mounts(Connection& connection, TenantId tenant) {
  TRY_ASSIGN(const auto mounts, known_mounts(connection, tenant));
  BinaryArray dead(ElementType::int8);
  for (const MountRow& row : mounts)
    if (is_dead(row.mount)) dead.add(row.epoch);
  Params params;
  params.add(tenant).add_view(dead.finish());
  TRY(run(connection, "forget_mounts", params));
  TRY(run(connection, "note_absent_mounts", Params().add(tenant)));
  return {};
}

Result<void> open_session_of(Connection& connection, Lease& lease, const std::string& mountpoint) {
  const TenantId tenant = lease.attached.tenant;
  TRY_ASSIGN(const PgResult opened, run(connection, "open_epoch",
                                        Params()
                                            .add(tenant)
                                            .add(std::string_view(lease.host))
                                            .add(std::int64_t{::getpid()})
                                            .add(std::string_view(mountpoint))));
  if (opened.rows() != 1) return fail(EIO, "the row of the tree in tusk.mounts is missing");
  lease.epoch = opened.row(0).integer(0);
  const auto taken = try_lock(connection, "take_session", Params().add(tenant).add(lease.epoch));
  if (!taken) return std::unexpected(setup_error(taken.error()));
  if (!*taken) return fail(EIO, "the lock of a new mount is taken");
  return {};
}

// Present before it holds the delegation: whoever was alone with the tree knows by then.
Result<void> join(Connection& connection, Connection& watch, Lease& lease,
                  const std::string& name) {
  const Params tree = Params().add(lease.attached.tenant);
  TRY(run(watch, "listen"));
  TRY(run(watch, "listen_locks"));
  TRY(run(watch, "note_watch", Params().add(lease.attached.tenant).add(lease.epoch)));
  TRY(be_present(watch, lease.mount(), name));
  TRY(take_delegation(connection, lease.mount(), name));
  TRY_ASSIGN(const PgResult others,
             run(connection, "other_mounts", Params().add(lease.attached.tenant).add(lease.epoch)));
  if (others.rows() == 1 && others.row(0).integer(0) > 0) {
    lease.attached.presence = Presence::shared;
    return {};
  }
  TRY_ASSIGN(const PgResult alone, run(watch, "be_alone", tree));
  if (!alone.row(0).boolean(0)) {
    lease.attached.presence = Presence::shared;
    return {};
  }
  TRY(run(watch, "end_being_present", tree));
  return {};
}

// One transaction: the tree as the last group left it, without the remains of mounts that died.
Result<void> clean_up(Connection& connection, TenantId tenant, bool is_alone) {
  const Params of_tree = Params().add(tenant);
  // Others need a moment to say what they have open.
  const std::int64_t grace_s = is_alone ? 0 : 60;
  TRY(run(connection, "begin"));
  TRY(run(connection, "scan_freely"));
  TRY(run(connection, "purge_staging_chunks", of_tree));
  TRY(run(connection, "purge_staging", of_tree));
  TRY_ASSIGN(const PgResult orphans,
             run(connection, "purge_orphans", Params().add(tenant).add(grace_s)));
  if (orphans.row(0).integer(0) > 0 && is_alone) {
    TRY(run(connection, "recount", of_tree));
    TRY(run(connection, "forget_pending_usage", of_tree));
  } else {
    TRY(run(connection, "add_pending_usage", of_tree));
  }
  TRY(run(connection, "commit"));
  return {};
}

}  // namespace

Result<Lease> take_tree(Connection& connection, Connection& watch, const PostgresOptions& options) {
  TRY_ASSIGN(const Tree tree, find_tree(connection, options.tenant));
  TRY(create_missing_rows(connection, tree));
  TRY(share_tree(connection, tree.tenant, options.tenant));
  TRY(forget_dead_mounts(connection, tree.tenant));
  Lease lease;
  lease.attached.tenant = tree.tenant;
  lease.host = host_name();
  TRY(open_session_of(connection, lease, options.mountpoint));
  TRY(join(connection, watch, lease, options.tenant));
  TRY_ASSIGN(const PgResult known,
             run(connection, "changes_since", changes_since(INT64_MAX, lease.mount())));
  lease.known_to = read_changes(known).known_to;
  TRY(clean_up(connection, tree.tenant, lease.attached.presence == Presence::alone));
  TRY_ASSIGN(const PgResult usage, run(connection, "usage", Params().add(tree.tenant)));
  lease.attached.usage = {usage.row(0).integer(0), usage.row(0).integer(1),
                          usage.row(0).integer(2)};
  auto quota = load_quota(connection, tree.tenant);
  if (!quota) return std::unexpected(setup_error(quota.error()));
  lease.attached.quota = *quota;
  TRY_ASSIGN(const PgResult snapshot, run(connection, "last_snapshot", Params().add(tree.tenant)));
  lease.attached.last_snapshot = {snapshot.row(0).integer(0)};
  TRY_ASSIGN(const PgResult root, run(connection, "root_folder", Params().add(tree.root)));
  if (root.rows() != 1) return fail(EIO, "the root folder of the tree is missing");
  lease.attached.root = read_folder(root.row(0));
  lease.attached.root.policy = read_settings(root.row(0));
  return lease;
}

Result<void> settle_tree(Connection& connection, const std::string& name) {
  TRY_ASSIGN(const Tree tree, find_tree(connection, name));
  TRY(lock_tree(connection, tree.tenant, name));
  TRY(run(connection, "forget_all_mounts", Params().add(tree.tenant)));
  return clean_up(connection, tree.tenant, true);
}

Retaken retake_tree(Connection& connection, const MountId& mount) {
  const auto failed = [](const PgFailure& failure) {
    return Retaken{CommitState::retry, {EIO, failure.text(), {}}, 0};
  };
  const Params tree = Params().add(mount.tenant),
               self = Params().add(mount.tenant).add(mount.epoch);
  const auto shared = try_lock(connection, "share_tree", tree);
  if (!shared) return failed(shared.error());
  if (!*shared) return {CommitState::retry, {EIO, "the tree is being repaired or removed", {}}, 0};
  const auto started = Clock::now();
  while (true) {
    auto taken = try_lock(connection, "take_session", self);
    if (!taken) return failed(taken.error());
    if (*taken) break;
    // Our own former session, perhaps on a network that no longer tells it of our end.
    auto ended = connection.run("end_old_backend", self);
    if (!ended && ended.error().lost) return failed(ended.error());
    if (Clock::now() - started > kGraceOfOwn)
      return {CommitState::retry, {EIO, "a former session still holds the tree", {}}, 0};
    std::this_thread::sleep_for(kAskAgain);
  }
  auto kept = connection.run("keep_epoch", self);
  if (!kept) return failed(kept.error());
  if (kept->rows() == 0)
    return {CommitState::fenced, {EIO, "this mount was given up by others", {}}, 0};
  return {CommitState::committed, {}, kept->row(0).integer(0)};
}

}  // namespace tusk::store
