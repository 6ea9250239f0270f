#include "tuskfs/store/backup.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <ctime>
#include <filesystem>

#include "attach.h"
#include "backup_folder.h"
#include "backup_objects.h"
#include "conninfo.h"
#include "embedded_programs.h"
#include "session.h"
#include "sqlstate.h"
#include "tuskfs/store/embedded.h"
#include "tuskfs/store/fsck.h"
#include "tuskfs/store/migrate.h"
#include "upkeep.h"

namespace tusk::store {
namespace {

namespace fs = std::filesystem;

// A migration may hold the tables for a while, but not for ever.
constexpr const char* kLockTimeout = "--lock-wait-timeout=60s";

// The first complaint of pg_dump or pg_restore.
std::string complaint_in(const std::string& output) {
  const std::size_t at = output.find("error:");
  const std::size_t begin = at == std::string::npos ? 0 : at + 7;
  return output.substr(begin, output.find('\n', begin) - begin);
}

Result<void> run_program(const char* program, const std::string& conninfo,
                         std::vector<std::string> args) {
  TRY_ASSIGN(const embedded::Programs programs, embedded::find_dump_programs());
  TRY_ASSIGN(ProgramConninfo database, for_program(conninfo));
  args.insert(args.begin(),
              {programs.path(program), "--no-password", "--dbname=" + database.argument});
  TRY_ASSIGN(const embedded::Finished finished,
             embedded::run({.args = std::move(args),
                            .identity = {},
                            .environment = std::move(database.environment),
                            .dies_with_us = true}));
  if (finished.status == 0) return {};
  return fail(
      EIO, fmt::format("{} failed: {}", program, complaint_in(finished.output)),
      "the backup's and the server's PostgreSQL need a pg_dump and pg_restore as new as they");
}

Result<PgResult> run(Connection& connection, std::string_view statement) {
  auto result = connection.run(statement);
  if (!result) return std::unexpected(setup_error(result.error()));
  return std::move(*result);
}

Result<std::map<std::string, TreeCounts>> counts_of(Connection& connection) {
  TRY_ASSIGN(const PgResult rows, run(connection, "tree_counts"));
  std::map<std::string, TreeCounts> trees;
  for (int i = 0; i < rows.rows(); i++) {
    const Row row = rows.row(i);
    trees[std::string(row.text(0))] = {row.integer(1), row.integer(2), row.integer(3),
                                       row.integer(4), row.integer(5)};
  }
  return trees;
}

// What is dumped by policy is all there is only for who may see it all.
Result<void> expect_all_trees(Connection& connection) {
  TRY_ASSIGN(const PgResult sees, run(connection, "sees_all_trees"));
  if (sees.row(0).boolean(0)) return {};
  return fail(EACCES, "this role sees not all trees of the database", "back up as their owner");
}

Result<void> expect_counts(const Backup& backup, const std::string& conninfo) {
  ConnectionContext context;
  context.conninfo = conninfo;
  TRY_ASSIGN(const auto connection, open_first_session(context));
  TRY(run(*connection, "begin_audit"));
  TRY(run(*connection, "audit_freely"));
  TRY_ASSIGN(const auto found, counts_of(*connection));
  if (found == backup.manifest.trees) return {};
  return fail(EIO, fmt::format("what {} restores is not what was backed up", backup.path),
              "restore another backup");
}

Result<void> check_version(const Backup& backup, const std::string& conninfo) {
  TRY_ASSIGN(const SchemaStatus status, schema_status(conninfo));
  if (!status.empty)
    return fail(EEXIST, "the database has a schema tusk already",
                "restore into an empty database, or with --data-dir into a new folder");
  if (backup.manifest.schema_version <= status.newest) return {};
  return fail(EINVAL,
              fmt::format("the backup has schema version {}, this program knows {}",
                          backup.manifest.schema_version, status.newest),
              "use a newer tuskfs");
}

// What a mount left half done at the moment of the backup goes, as it would when its mount had
// died.
Result<void> settle_trees(const Backup& backup, const std::string& conninfo) {
  for (const auto& [name, counts] : backup.manifest.trees) {
    ConnectionContext context;
    context.conninfo = conninfo;
    TRY_ASSIGN(const auto connection, open_first_session(context));
    TRY(settle_tree(*connection, name));
  }
  return {};
}

// All of it, and not the data alone: so the triggers, which count, come after the rows.
Result<void> restore_dump(const Backup& backup, const std::string& conninfo,
                          const std::string& objects) {
  TRY(check_version(backup, conninfo));
  TRY(run_program("pg_restore", conninfo,
                  {"--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges",
                   backup.path + "/" + kDumpFolder}));
  TRY(expect_counts(backup, conninfo));
  ConnectionContext context;
  context.conninfo = conninfo;
  TRY_ASSIGN(const auto connection, open_first_session(context));
  TRY(note_objects(*connection, backup, objects));
  return settle_trees(backup, conninfo);
}

class ScratchFolder {
 public:
  static Result<ScratchFolder> make() {
    const char* base = std::getenv("TMPDIR");
    std::string path = std::string(base == nullptr ? "/tmp" : base) + "/tuskfs-verify-XXXXXX";
    if (::mkdtemp(path.data()) != nullptr) return ScratchFolder(path);
    return fail(errno, fmt::format("cannot make {}", path), "set TMPDIR to a folder with room");
  }
  ScratchFolder(ScratchFolder&&) = default;
  ScratchFolder& operator=(ScratchFolder&&) = delete;
  ~ScratchFolder() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }

 private:
  explicit ScratchFolder(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

Result<void> expect_sound(const Backup& backup, const std::string& conninfo,
                          const objects::Access& access) {
  std::string first;
  const FsckWatcher watcher{[&](const Finding& finding) {
                              if (first.empty()) first = finding.check + " " + finding.row;
                            },
                            {}};
  TRY_ASSIGN(
      const FsckOutcome outcome,
      fsck({.conninfo = conninfo, .tenant = {}, .repair = false, .scrub = true, .objects = access},
           watcher));
  if (outcome.left == 0) return {};
  return fail(EIO,
              fmt::format("fsck finds {} errors in what {} restores, the first: {}", outcome.left,
                          backup.path, first),
              "run tuskfs fsck on the database that was backed up");
}

// Ends without a transaction when it succeeds.
Result<Backup> back_up(Connection& connection, const std::string& conninfo,
                       const std::string& folder, int schema_version) {
  TRY_ASSIGN(UnfinishedBackup unfinished, UnfinishedBackup::begin(folder));
  remove_unfinished(folder);
  TRY_ASSIGN(const auto earlier, list_backups(folder));
  TRY(hold_objects(connection));
  // The dump and the counts see the moment of this transaction, which stays open meanwhile.
  TRY(run(connection, "begin_audit"));
  TRY(run(connection, "audit_freely"));
  TRY_ASSIGN(const PgResult snapshot, run(connection, "export_snapshot"));
  TRY_ASSIGN(const PgResult server, run(connection, "server_version"));
  Manifest manifest;
  manifest.tuskfs_version = TUSKFS_VERSION;
  manifest.schema_version = schema_version;
  manifest.taken_at = fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr)));
  manifest.server_version = server.row(0).text(0);
  TRY(expect_all_trees(connection));
  TRY_ASSIGN(manifest.trees, counts_of(connection));
  const std::string dump = fs::absolute(unfinished.path()) / kDumpFolder;
  // The owner, if no superuser, sees all rows by policy.
  TRY(run_program(
      "pg_dump", conninfo,
      {"--schema=tusk", "--enable-row-security", "--format=directory", "--jobs=2", kLockTimeout,
       fmt::format("--snapshot={}", snapshot.row(0).text(0)), "--file=" + dump}));
  const auto previous = earlier.empty() ? std::nullopt : std::optional(earlier.back());
  TRY(copy_objects(connection, unfinished.path(), previous, manifest));
  TRY(run(connection, "rollback"));
  return unfinished.publish(std::move(manifest));
}

WallTime wall_now() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return {std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec};
}

}  // namespace

Result<Backup> make_backup(const std::string& conninfo, const std::string& folder) {
  TRY_ASSIGN(const SchemaStatus status, schema_status(conninfo));
  ConnectionContext context;
  context.conninfo = conninfo;
  TRY_ASSIGN(const auto connection, open_first_session(context));
  BackupRecord noted{.location = fs::absolute(folder), .begun = wall_now()};
  auto made = back_up(*connection, conninfo, folder, status.version);
  if (made) {
    noted.location = fs::absolute(made->path);
    noted.bytes = made->bytes;
  } else {
    noted.problem = made.error().what;
    if (connection->alive()) (void)connection->run("rollback");
  }
  record(*connection, noted);
  return made;
}

Result<void> restore_backup(const Backup& backup, const std::string& conninfo,
                            const std::string& objects) {
  if (has_objects(backup) && objects.empty())
    return fail(EINVAL, fmt::format("{} has large files outside of the database", backup.path),
                "say where they are to go, with --objects");
  TRY(compare_checksums(backup));
  TRY(check_version(backup, conninfo));
  TRY(restore_objects(backup, objects));
  return restore_dump(backup, conninfo, objects);
}

Result<void> verify_backup(const Backup& backup, const objects::Access& access) {
  TRY(compare_checksums(backup));
  TRY_ASSIGN(const ScratchFolder scratch, ScratchFolder::make());
  TRY_ASSIGN(const auto cluster, EmbeddedCluster::claim(scratch.path()));
  const std::string objects = fs::absolute(backup.path) / kObjectsFolder;
  TRY(restore_dump(backup, cluster->conninfo(), objects));
  return expect_sound(backup, cluster->conninfo(), access);
}

}  // namespace tusk::store
