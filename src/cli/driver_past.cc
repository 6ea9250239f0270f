// The process behind a mount of a moment that has passed.
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

Result<std::unique_ptr<Served>> set_up(const MountRequest& request) {
  if (!request.objects.location.empty()) {
    return fail(EINVAL, "--objects is for a mount of the present, which remembers it",
                "leave it away, with --at");
  }
  auto past = std::make_unique<MountedPast>();
  MountedPast& mounted = *past;
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
  TRY_ASSIGN(mounted.fuse_session, fuse::Session::mount(options, *mounted.reactor, *mounted.shown));
  return past;
}

}  // namespace

int drive_past(const MountRequest& request, Daemon& daemon) {
  return drive_with(request, daemon, [&] { return set_up(request); });
}

}  // namespace tusk::cli
