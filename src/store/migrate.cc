#include "tuskfs/store/migrate.h"

#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <map>
#include <span>

#include "fsck_function.h"
#include "session.h"
#include "sql_file.h"
#include "sqlstate.h"
#include "tuskfs/base/log.h"
#include "tuskfs/base/sha256.h"

namespace tusk::store {
namespace {

constexpr SqlFile kTreeFiles[] = {
#include <tuskfs/migrations.inc>
};
constexpr SqlFile kCacheFiles[] = {
#include <tuskfs/cache.inc>
};
constexpr SqlFile kStatsFiles[] = {
#include <tuskfs/stats_schema.inc>
};

struct Migration {
  int number = 0;
  std::string name;
  std::string up, down;
  std::string checksum;  // of the way up
};
using Migrations = std::map<int, Migration>;

// Files are named NNNN_name.up.sql and NNNN_name.down.sql.
Migrations migrations_in(std::span<const SqlFile> files) {
  Migrations out;
  for (const SqlFile& file : files) {
    const int number = std::stoi(std::string(file.name.substr(0, 4)));
    Migration& migration = out[number];
    migration.number = number;
    migration.name = file.name.substr(5, file.name.find('.') - 5);
    if (file.name.ends_with(".up.sql")) {
      migration.up = file.text;
      migration.checksum = sha256_of(file.text);
    } else {
      migration.down = file.text;
    }
  }
  return out;
}

struct Known {
  std::string schema;
  Migrations migrations;
  std::string finish;  // run with the newest of them
  int newest() const { return migrations.rbegin()->first; }
};

const Known& known(Schema schema) {
  static const std::map<Schema, Known> all = {
      {Schema::tree, {"tusk", migrations_in(kTreeFiles), fsck_function_script()}},
      {Schema::cache, {"tusk_cache", migrations_in(kCacheFiles), {}}},
      {Schema::stats, {"tusk_stats", migrations_in(kStatsFiles), {}}},
  };
  return all.at(schema);
}

class Migrator {
 public:
  static Result<std::unique_ptr<Migrator>> connect(const std::string& conninfo, Schema schema) {
    std::unique_ptr<Migrator> migrator(new Migrator(store::known(schema)));
    migrator->context_.conninfo = conninfo;
    TRY(migrator->open());
    return migrator;
  }
  // Changes nothing, and so may ask a standby.
  static Result<std::unique_ptr<Migrator>> connect_to_look(const std::string& conninfo,
                                                           Schema schema, Servers::Wanted wanted) {
    std::unique_ptr<Migrator> migrator(new Migrator(store::known(schema)));
    migrator->context_.conninfo = conninfo;
    migrator->context_.writes = false;
    migrator->context_.servers = std::make_shared<Servers>(wanted);
    TRY(migrator->open());
    return migrator;
  }

  Result<SchemaStatus> status();
  Result<void> create_schema();
  Result<void> step_up(const Migration& migration);
  Result<void> step_down(const Migration& migration);

 private:
  Result<void> open() {
    TRY_ASSIGN(connection_, open_first_session(context_));
    TRY(run("migrate_in", schema()));
    return {};
  }

  explicit Migrator(const Known& known) : known_(known) {}

  Result<PgResult> run(std::string_view name, const Params& params = {}) {
    auto result = connection_->run(name, params);
    if (!result) return std::unexpected(setup_error(result.error()));
    return std::move(*result);
  }
  Result<void> begin_step();
  Result<void> run_script(const Migration& migration, const std::string& sql);

  Params schema() const { return Params().add(std::string_view(known_.schema)); }

  const Known& known_;
  ConnectionContext context_;
  std::unique_ptr<Connection> connection_;
};

Result<SchemaStatus> Migrator::status() {
  SchemaStatus status;
  status.newest = known_.newest();
  std::map<int, MigrationState> states;
  for (const auto& [number, migration] : known_.migrations) {
    states[number] = {number, migration.name, false, true, {}};
  }
  TRY_ASSIGN(const PgResult exists, run("schema_exists", schema()));
  status.empty = !exists.row(0).boolean(0);
  if (exists.row(0).boolean(1)) {
    TRY_ASSIGN(const PgResult applied, run("migrations_applied"));
    for (int i = 0; i < applied.rows(); i++) {
      const Row row = applied.row(i);
      const int number = static_cast<int>(row.integer(0));
      MigrationState& state = states[number];
      const auto found = known_.migrations.find(number);
      state = {number, std::string(row.text(1)), true,
               found == known_.migrations.end() || row.text(2) == found->second.checksum,
               std::string(row.text(3))};
      status.version = std::max(status.version, number);
    }
  }
  for (auto& [number, state] : states) status.migrations.push_back(std::move(state));
  return status;
}

// Of all that read or change the schema: what no step could put right.
Result<void> check(const SchemaStatus& status) {
  if (status.version > status.newest) {
    return fail(EINVAL,
                fmt::format("the schema is at version {}, this TuskFS knows only {}",
                            status.version, status.newest),
                "use a newer tuskfs");
  }
  for (const MigrationState& state : status.migrations) {
    if (!state.checksum_ok) {
      return fail(EINVAL,
                  fmt::format("migration {:04} {} differs from the one that was applied",
                              state.number, state.name),
                  "use the tuskfs that applied it, or restore the schema it made");
    }
    if (!state.applied && state.number < status.version) {
      return fail(EINVAL, fmt::format("migration {:04} {} was left out", state.number, state.name),
                  "see its table schema_migrations");
    }
  }
  return {};
}

Result<void> Migrator::create_schema() {
  TRY(run("begin"));
  TRY(run("migration_limits"));
  TRY_ASSIGN(const PgResult exists, run("schema_exists", schema()));
  if (!exists.row(0).boolean(0)) {
    TRY(run("create_schema_" + known_.schema));
    TRY(run("comment_on_schema_" + known_.schema));
  }
  if (!exists.row(0).boolean(1)) {
    TRY(run("create_schema_migrations"));
    TRY(run("comment_on_schema_migrations"));
  }
  TRY(run("commit"));
  return {};
}

Result<void> Migrator::begin_step() {
  TRY(run("begin"));
  TRY(run("migration_limits"));
  return {};
}

Result<void> Migrator::run_script(const Migration& migration, const std::string& sql) {
  auto done = connection_->run_script(sql);
  if (done) return {};
  Error error = setup_error(done.error());
  error.what = fmt::format("migration {:04} {}: {}", migration.number, migration.name, error.what);
  if (done.error().sqlstate == "55P03") {
    error.hint = "another session holds a lock on the schema; try again when it is done";
  }
  return std::unexpected(std::move(error));
}

Result<void> Migrator::step_up(const Migration& migration) {
  TRY(begin_step());
  TRY_ASSIGN(const SchemaStatus now, status());
  // Another migrator may have been faster.
  if (now.version < migration.number) {
    TRY(run_script(migration, migration.up));
    if (migration.number == known_.newest() && !known_.finish.empty())
      TRY(run_script(migration, known_.finish));
    TRY(run("record_migration", Params()
                                    .add(std::int64_t{migration.number})
                                    .add(std::string_view(migration.name))
                                    .add(std::string_view(migration.checksum))));
  }
  TRY(run("commit"));
  log::info("migration {:04} {} is applied", migration.number, migration.name);
  return {};
}

Result<void> Migrator::step_down(const Migration& migration) {
  TRY(begin_step());
  TRY_ASSIGN(const SchemaStatus now, status());
  if (now.version == migration.number) {
    TRY(run_script(migration, migration.down));
    TRY(run("forget_migration", Params().add(std::int64_t{migration.number})));
  }
  TRY(run("commit"));
  log::info("migration {:04} {} is undone", migration.number, migration.name);
  return {};
}

Result<void> check_target(const Known& known, int to) {
  if (to <= known.newest()) return {};
  return fail(EINVAL, fmt::format("there is no migration {}", to),
              fmt::format("the newest is {}", known.newest()));
}

}  // namespace

Result<SchemaStatus> schema_status(const std::string& conninfo, Schema schema, AskedOf of) {
  const auto wanted = of == AskedOf::standby ? Servers::Wanted::standby : Servers::Wanted::primary;
  TRY_ASSIGN(const auto migrator, Migrator::connect_to_look(conninfo, schema, wanted));
  TRY_ASSIGN(SchemaStatus status, migrator->status());
  TRY(check(status));
  return status;
}

Result<std::vector<int>> migrate_up(const std::string& conninfo, int to, Schema schema) {
  const Known& all = known(schema);
  const int target = to < 0 ? all.newest() : to;
  TRY(check_target(all, target));
  TRY_ASSIGN(const auto migrator, Migrator::connect(conninfo, schema));
  TRY_ASSIGN(const SchemaStatus before, migrator->status());
  TRY(check(before));
  std::vector<int> done;
  if (before.version >= target) return done;
  TRY(migrator->create_schema());
  for (const auto& [number, migration] : all.migrations) {
    if (number <= before.version || number > target) continue;
    TRY(migrator->step_up(migration));
    done.push_back(number);
  }
  return done;
}

Result<std::vector<int>> migrate_down(const std::string& conninfo, int to, Schema schema) {
  const Known& all = known(schema);
  TRY_ASSIGN(const auto migrator, Migrator::connect(conninfo, schema));
  TRY_ASSIGN(const SchemaStatus before, migrator->status());
  TRY(check(before));
  const int target = to < 0 ? std::max(before.version - 1, 0) : to;
  TRY(check_target(all, target));
  std::vector<int> done;
  for (auto step = all.migrations.rbegin(); step != all.migrations.rend(); ++step) {
    const auto& [number, migration] = *step;
    if (number > before.version || number <= target) continue;
    TRY(migrator->step_down(migration));
    done.push_back(number);
  }
  return done;
}

}  // namespace tusk::store
