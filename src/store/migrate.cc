#include "tuskfs/store/migrate.h"

#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <map>
#include <span>

#include "session.h"
#include "sha256.h"
#include "sql_file.h"
#include "sqlstate.h"
#include "tuskfs/base/log.h"

namespace tusk::store {
namespace {

constexpr SqlFile kFiles[] = {
#include <tuskfs/migrations.inc>
};

struct Migration {
  int number = 0;
  std::string name;
  std::string up, down;
  std::string checksum;  // of the way up
};

// Files are named NNNN_name.up.sql and NNNN_name.down.sql.
const std::map<int, Migration>& known_migrations() {
  static const std::map<int, Migration> known = [] {
    std::map<int, Migration> out;
    for (const SqlFile& file : kFiles) {
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
  }();
  return known;
}

int newest() { return known_migrations().rbegin()->first; }

class Migrator {
 public:
  static Result<std::unique_ptr<Migrator>> connect(const std::string& conninfo) {
    std::unique_ptr<Migrator> migrator(new Migrator);
    migrator->context_.conninfo = conninfo;
    TRY_ASSIGN(migrator->connection_, open_first_session(migrator->context_));
    return migrator;
  }

  Result<SchemaStatus> status();
  Result<void> create_schema();
  Result<void> step_up(const Migration& migration);
  Result<void> step_down(const Migration& migration);

 private:
  Migrator() = default;

  Result<PgResult> run(std::string_view name, const Params& params = {}) {
    auto result = connection_->run(name, params);
    if (!result) return std::unexpected(setup_error(result.error()));
    return std::move(*result);
  }
  Result<void> begin_step();
  Result<void> run_script(const Migration& migration, const std::string& sql);

  ConnectionContext context_;
  std::unique_ptr<Connection> connection_;
};

Result<SchemaStatus> Migrator::status() {
  SchemaStatus status;
  status.newest = newest();
  std::map<int, MigrationState> states;
  for (const auto& [number, migration] : known_migrations()) {
    states[number] = {number, migration.name, false, true, {}};
  }
  TRY_ASSIGN(const PgResult exists, run("schema_exists"));
  status.empty = !exists.row(0).boolean(0);
  if (exists.row(0).boolean(1)) {
    TRY_ASSIGN(const PgResult applied, run("migrations_applied"));
    for (int i = 0; i < applied.rows(); i++) {
      const Row row = applied.row(i);
      const int number = static_cast<int>(row.integer(0));
      MigrationState& state = states[number];
      const auto known = known_migrations().find(number);
      state = {number, std::string(row.text(1)), true,
               known == known_migrations().end() || row.text(2) == known->second.checksum,
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
                  "see tusk.schema_migrations");
    }
  }
  return {};
}

Result<void> Migrator::create_schema() {
  TRY(run("begin"));
  TRY(run("migration_limits"));
  TRY_ASSIGN(const PgResult exists, run("schema_exists"));
  if (!exists.row(0).boolean(0)) {
    TRY(run("create_schema"));
    TRY(run("comment_on_schema"));
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

Result<void> check_target(int to) {
  if (to <= newest()) return {};
  return fail(EINVAL, fmt::format("there is no migration {}", to),
              fmt::format("the newest is {}", newest()));
}

}  // namespace

Result<SchemaStatus> schema_status(const std::string& conninfo) {
  TRY_ASSIGN(const auto migrator, Migrator::connect(conninfo));
  TRY_ASSIGN(SchemaStatus status, migrator->status());
  TRY(check(status));
  return status;
}

Result<std::vector<int>> migrate_up(const std::string& conninfo, int to) {
  const int target = to < 0 ? newest() : to;
  TRY(check_target(target));
  TRY_ASSIGN(const auto migrator, Migrator::connect(conninfo));
  TRY_ASSIGN(const SchemaStatus before, migrator->status());
  TRY(check(before));
  std::vector<int> done;
  if (before.version >= target) return done;
  TRY(migrator->create_schema());
  for (const auto& [number, migration] : known_migrations()) {
    if (number <= before.version || number > target) continue;
    TRY(migrator->step_up(migration));
    done.push_back(number);
  }
  return done;
}

Result<std::vector<int>> migrate_down(const std::string& conninfo, int to) {
  TRY_ASSIGN(const auto migrator, Migrator::connect(conninfo));
  TRY_ASSIGN(const SchemaStatus before, migrator->status());
  TRY(check(before));
  const int target = to < 0 ? std::max(before.version - 1, 0) : to;
  TRY(check_target(target));
  std::vector<int> done;
  const auto& known = known_migrations();
  for (auto step = known.rbegin(); step != known.rend(); ++step) {
    const auto& [number, migration] = *step;
    if (number > before.version || number <= target) continue;
    TRY(migrator->step_down(migration));
    done.push_back(number);
  }
  return done;
}

}  // namespace tusk::store
