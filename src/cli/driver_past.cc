// The process behind a mount of a moment that has passed.
#include "cli/report.h"
#include "cli/secrets.h"
#include "cli/serving.h"
#include "cli/status_text.h"
#include "cli/verbs.h"
#include "tuskfs/base/log.h"
#include "tuskfs/base/reactor.h"
#include "tuskfs/virtual/tree.h"

namespace tusk::cli {
namespace {

// Members in the order in which each needs those before it.
struct MountedPast {
  Database database;
  std::unique_ptr<Reactor> reactor;
  std::unique_ptr<store::PastReader> reader;
  std::unique_ptr<vfs::Vfs> shown;
  std::unique_ptr<fuse::Session> session;
};

std::string status_of(const MountFacts& facts, int schema_version, const std::string& database) {
  store::PostgresStore::State state;
  state.connected = true;
  state.database = database;
  state.schema_version = schema_version;
  return status_text(facts, {}, state);
}

Result<MountedPast> set_up(const MountRequest& request) {
  MountedPast mounted;
  TRY_ASSIGN(mounted.database, open_tree(request.source));
  TRY_ASSIGN(const auto schema, store::schema_status(mounted.database.conninfo));
  TRY_ASSIGN(mounted.reactor, Reactor::create());
  TRY_ASSIGN(mounted.reader, store::PastReader::open(store_options(request, mounted.database),
                                                     request.at, *mounted.reactor));
  mounted.shown =
      virt::at_moment(*mounted.reactor, mounted.reader->past(),
                      {.root = mounted.reader->root(),
                       .at = mounted.reader->at(),
                       .patience = request.db_timeout,
                       .status_text = [facts = facts_of(request), version = schema.version,
                                       database = mounted.reader->database()] {
                         return status_of(facts, version, database);
                       }});
  fuse::MountOptions options = fuse_options(request, mounted.reader->database());
  options.fuse_options.push_back("ro");
  TRY_ASSIGN(mounted.session, fuse::Session::mount(options, *mounted.reactor, *mounted.shown));
  return mounted;
}

}  // namespace

int drive_past(const MountRequest& request, Daemon& daemon) {
  auto signals = StopSignals::block(!daemon.detached());
  if (!signals) {
    daemon.failed(signals.error());
    return kFailed;
  }
  auto mounted = set_up(request);
  if (!mounted) {
    daemon.failed(without_password(mounted.error(), request.source.database));
    return kFailed;
  }
  log::info("mounted {} as of {} on {}", mounted->reader->database(),
            iso_time(mounted->reader->at()), request.mountpoint);
  daemon.ready();
  return serve(mounted->session, request.mountpoint, *signals, [] { return true; });
}

}  // namespace tusk::cli
