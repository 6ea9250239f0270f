// The process behind a mount of the sidecar alone.
#include <fmt/format.h>
#include <unistd.h>

#include "cli/serving.h"
#include "cli/status_text.h"
#include "tuskfs/base/reactor.h"
#include "tuskfs/store/collector.h"
#include "tuskfs/virtual/sidecar.h"

namespace tusk::cli {
namespace {

// Members in the order in which each needs those before it.
struct MountedSidecar final : Served {
  Database database;
  store::ServerFacts server;
  std::unique_ptr<Reactor> reactor;
  std::unique_ptr<vfs::Vfs> shown;
  std::unique_ptr<fuse::Session> fuse_session;

  std::unique_ptr<fuse::Session>& session() override { return fuse_session; }
  std::string name() const override { return fmt::format("the sidecar of {}", server.database); }
  bool flush() override { return true; }
};

std::string status_of(const MountFacts& facts, const std::string& database) {
  store::PostgresStore::State state;
  state.connected = true;
  state.database = database;
  return status_text(facts, {}, state);
}

Result<std::unique_ptr<Served>> set_up(const MountRequest& request) {
  auto sidecar = std::make_unique<MountedSidecar>();
  MountedSidecar& mounted = *sidecar;
  TRY_ASSIGN(mounted.database, open_database(request.source));
  TRY_ASSIGN(mounted.server, store::ask_server(mounted.database.conninfo));
  TRY_ASSIGN(mounted.reactor, Reactor::create());
  mounted.shown =
      virt::sidecar(*mounted.reactor,
                    {.conninfo = mounted.database.conninfo,
                     .uid = ::getuid(),
                     .gid = ::getgid(),
                     .before_connect = restarting(mounted.database),
                     .alerts_every = request.alerts_every,
                     .status_text = [facts = facts_of(request), name = mounted.server.database] {
                       return status_of(facts, name);
                     }});
  TRY_ASSIGN(mounted.fuse_session,
             fuse::Session::mount(fuse_options(request, mounted.server.database), *mounted.reactor,
                                  *mounted.shown));
  return sidecar;
}

}  // namespace

int drive_sidecar(const MountRequest& request, Daemon& daemon) {
  return drive_with(request, daemon, [&] { return set_up(request); });
}

}  // namespace tusk::cli
