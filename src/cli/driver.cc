#include "cli/driver.h"

#include <fmt/format.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "cli/database.h"
#include "cli/report.h"
#include "cli/serving.h"
#include "cli/status_text.h"
#include "tuskfs/base/log.h"
#include "tuskfs/base/reactor.h"
#include "tuskfs/core/filesystem.h"
#include "tuskfs/fuse/session.h"
#include "tuskfs/store/history.h"
#include "tuskfs/store/postgres.h"
#include "tuskfs/virtual/sidecar.h"
#include "tuskfs/virtual/tree.h"

namespace tusk::cli {
namespace {

using namespace std::chrono_literals;

constexpr auto kFlushRetry = 200ms;
constexpr auto kFlushTick = 50ms;

// Members in the order in which each needs those before it.
struct Mounted final : Served {
  Database database;
  std::unique_ptr<Reactor> reactor;
  std::unique_ptr<store::PostgresStore> store;
  vfs::Meter meter;
  std::unique_ptr<core::Filesystem> filesystem;
  std::unique_ptr<vfs::Vfs> sidecar;
  std::unique_ptr<vfs::Vfs> shown;  // the filesystem with .tusk
  std::unique_ptr<fuse::Session> fuse_session;
  std::chrono::seconds patience{};  // with a database that is away, at the end

  std::unique_ptr<fuse::Session>& session() override { return fuse_session; }
  std::string name() const override { return store->state().database; }
  bool flush() override;
};

core::Options core_options(const MountRequest& request, const Database& database,
                           vfs::Meter& meter) {
  core::Options options;
  options.meter = &meter;
  options.durability = request.durability;
  options.atime = request.noatime ? core::AtimeMode::noatime : core::AtimeMode::relatime;
  options.read_only = request.read_only;
  options.db_timeout = request.db_timeout;
  options.delegation_idle = request.delegation_idle;
  if (database.cluster == nullptr) return options;
  options.free_bytes = [folder = database.cluster->data_dir()]() -> std::uint64_t {
    struct statvfs disk {};
    if (::statvfs(folder.c_str(), &disk) != 0) return 0;
    return static_cast<std::uint64_t>(disk.f_bavail) * disk.f_frsize;
  };
  return options;
}

virt::Setup virtual_setup(const MountRequest& request, core::Filesystem& filesystem,
                          const store::FolderRow& root, vfs::Vfs& sidecar) {
  return {
      .root = root,
      .commit = [&filesystem](vfs::Reply<void> reply) { filesystem.commit_all(std::move(reply)); },
      .sync = [&filesystem](vfs::Reply<void> reply) { filesystem.sync_all(std::move(reply)); },
      .snapshot_at = [&filesystem](WallTime at) { filesystem.note_snapshot(at); },
      .restore =
          [&filesystem](const vfs::Call& call, const Uuid& id, Ino parent, std::string_view name,
                        vfs::Reply<void> reply) {
            filesystem.restore(call, id, parent, name, std::move(reply));
          },
      .is_open = [&filesystem](const Uuid& id) { return filesystem.is_open(id); },
      .sidecar = &sidecar,
      .sidecar_names = virt::sidecar_names(),
      .sidecar_in_root = request.sidecar,
      .patience = request.db_timeout};
}

// What the sidecar shows in the root must not hide what is there.
Result<void> check_root_names(const MountRequest& request, const std::string& conninfo,
                              WallTime now) {
  if (!request.sidecar) return {};
  TRY_ASSIGN(const auto history, store::History::open(conninfo, request.tenant));
  for (const std::string& name : virt::sidecar_names()) {
    TRY_ASSIGN(const auto entry, history->resolve("/" + name, now));
    if (entry)
      return fail(EEXIST, fmt::format("the tree has a {} of its own in its root", name),
                  "rename it, or leave --sidecar away: .tusk has the same folders");
  }
  return {};
}

Result<std::unique_ptr<Served>> set_up(const MountRequest& request) {
  auto present = std::make_unique<Mounted>();
  Mounted& mounted = *present;
  mounted.patience = request.db_timeout;
  TRY_ASSIGN(mounted.database, open_database(request.source));
  TRY(prepare_schema(mounted.database.conninfo, request.migrate));
  TRY_ASSIGN(mounted.reactor, Reactor::create());
  TRY_ASSIGN(mounted.store, store::PostgresStore::attach(store_options(request, mounted.database),
                                                         *mounted.reactor));
  mounted.filesystem =
      core::make_filesystem(*mounted.reactor, *mounted.store, mounted.store->attached(),
                            core_options(request, mounted.database, mounted.meter));
  const auto status = [&filesystem = *mounted.filesystem, &store = *mounted.store,
                       facts = facts_of(request)] {
    return status_text(facts, filesystem.status(), store.state());
  };
  mounted.filesystem->set_status_text(status);
  TRY(check_root_names(request, mounted.database.conninfo, mounted.reactor->wall_now()));
  mounted.sidecar = virt::sidecar(*mounted.reactor, {.conninfo = mounted.database.conninfo,
                                                     .uid = ::getuid(),
                                                     .gid = ::getgid(),
                                                     .before_connect = restarting(mounted.database),
                                                     .alone = false,
                                                     .driver = {&mounted.meter, status}});
  mounted.shown =
      virt::with_dot_tusk(*mounted.filesystem, *mounted.reactor, mounted.store->past(),
                          virtual_setup(request, *mounted.filesystem,
                                        mounted.store->attached().root, *mounted.sidecar));
  TRY_ASSIGN(mounted.fuse_session,
             fuse::Session::mount(fuse_options(request, mounted.store->state().database),
                                  *mounted.reactor, *mounted.shown, &mounted.meter));
  return present;
}

struct Attempt {
  bool answered = false;
  int error = 0;
  bool succeeded() const { return answered && error == 0; }
};

Attempt flush_once(Mounted& mounted, MonotonicTime deadline) {
  // Shared with the answer, which may come after we have given up.
  const auto attempt = std::make_shared<Attempt>();
  mounted.filesystem->sync_all([attempt](vfs::Outcome<void> outcome) {
    *attempt = {.answered = true, .error = outcome ? 0 : outcome.error().value};
  });
  while (!attempt->answered && mounted.reactor->now() < deadline)
    mounted.reactor->wait_and_run(kFlushTick);
  return *attempt;
}

void pump(Reactor& reactor, std::chrono::nanoseconds time) {
  const MonotonicTime end = reactor.now() + time;
  while (reactor.now() < end) reactor.wait_and_run(end - reactor.now());
}

// Tries until all is committed or the database has been given its time.
bool Mounted::flush() {
  filesystem->close_all();
  const MonotonicTime deadline = reactor->now() + patience;
  Attempt last;
  do {
    if (last.answered) pump(*reactor, kFlushRetry);
    last = flush_once(*this, deadline);
    if (last.succeeded()) return true;
  } while (reactor->now() < deadline);
  const core::Status status = filesystem->status();
  const char* reason = last.answered ? std::strerror(last.error) : "the database did not answer";
  log::error("unmounted with {} bytes in {} files and folders not committed: {}",
             status.dirty_bytes, status.dirty_inodes,
             status.last_error.empty() ? reason : status.last_error);
  return false;
}

}  // namespace

int drive(const MountRequest& request, Daemon& daemon) {
  if (request.only_sidecar) return drive_sidecar(request, daemon);
  if (!request.at.empty() || request.read_only_standby) return drive_past(request, daemon);
  return drive_with(request, daemon, [&] { return set_up(request); });
}

}  // namespace tusk::cli
