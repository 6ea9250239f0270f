// The process behind a mount that takes no tree: of a moment that has passed, or of a standby.
#include <fmt/format.h>

#include <cerrno>

#include "cli/serving.h"
#include "cli/status_text.h"
#include "tuskfs/base/reactor.h"
#include "tuskfs/virtual/tree.h"

namespace tusk::cli {
namespace {

// Members in the order in which each needs those before it.
struct MountedPast final : Served {
  Database database;
  std::unique_ptr<Reactor> reactor;
  std::unique_ptr<store::PastReader> reader;
  std::unique_ptr<vfs::Vfs> shown;
  std::unique_ptr<fuse::Session> fuse_session;

  std::unique_ptr<fuse::Session>& session() override { return fuse_session; }
  std::string name() const override {
    if (reader->at() == store::kPresent) return reader->database() + ", read-only";
    return fmt::format("{} as of {}", reader->database(), iso_time(reader->at()));
  }
  bool flush() override { return true; }
};

std::string status_of(const MountFacts& facts, int schema_version, const std::string& database) {
  store::PostgresStore::State state;
  state.connected = true;
  state.database = database;
  state.schema_version = schema_version;
  return status_text(facts, {}, state);
}

Result<void> check(const MountRequest& request) {
  if (!request.objects.location.empty()) {
    return fail(EINVAL, "--objects is for a mount that writes, which remembers it",
                "leave it away, with --at or --read-only-standby");
  }
  if (!request.read_only_standby) return {};
  if (!request.at.empty())
    return fail(EINVAL, "--at and --read-only-standby are two different mounts",
                "--at alone reads from a standby as well");
  if (request.sidecar || request.migrate)
    return fail(EINVAL, "a standby can be written to by nobody, so there is nothing to migrate",
                "leave --migrate and --sidecar away; tuskfs sidecar mounts a standby's statistics");
  return {};
}

Result<std::unique_ptr<store::PastReader>> open_reader(const MountRequest& request,
                                                       const Database& database,
                                                       Executor& executor) {
  const store::PostgresOptions options = store_options(request, database);
  if (request.read_only_standby) return store::PastReader::open_present(options, executor);
  return store::PastReader::open(options, request.at, executor);
}

Result<std::unique_ptr<Served>> set_up(const MountRequest& request) {
  TRY(check(request));
  auto past = std::make_unique<MountedPast>();
  MountedPast& mounted = *past;
  const auto asked = request.read_only_standby ? store::AskedOf::standby : store::AskedOf::primary;
  TRY_ASSIGN(mounted.database, open_tree(request.source, asked));
  TRY_ASSIGN(const auto schema,
             store::schema_status(mounted.database.conninfo, store::Schema::tree, asked));
  TRY_ASSIGN(mounted.reactor, Reactor::create());
  TRY_ASSIGN(mounted.reader, open_reader(request, mounted.database, *mounted.reactor));
  mounted.shown =
      virt::at_moment(*mounted.reactor, mounted.reader->past(),
                      {.root = mounted.reader->root(),
                       .at = mounted.reader->at(),
                       .is_live = request.read_only_standby,
                       .patience = request.db_timeout,
                       .status_text = [facts = facts_of(request), version = schema.version,
                                       database = mounted.reader->database()] {
                         return status_of(facts, version, database);
                       }});
  fuse::MountOptions options = fuse_options(request, mounted.reader->database());
  options.fuse_options.push_back("ro");
  TRY_ASSIGN(mounted.fuse_session, fuse::Session::mount(options, *mounted.reactor, *mounted.shown));
  return past;
}

}  // namespace

int drive_past(const MountRequest& request, Daemon& daemon) {
  return drive_with(request, daemon, [&] { return set_up(request); });
}

}  // namespace tusk::cli
