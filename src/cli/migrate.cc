#include <fmt/format.h>

#include "cli/database.h"
#include "cli/report.h"
#include "cli/secrets.h"
#include "cli/verbs.h"

namespace tusk::cli {
namespace {

void print(const store::SchemaStatus& status) {
  for (const store::MigrationState& migration : status.migrations) {
    fmt::print("{:04} {:<24} {}\n", migration.number, migration.name,
               !migration.applied      ? "not applied"
               : migration.checksum_ok ? "applied " + migration.applied_at
                                       : "applied, but differs from this program's");
  }
  fmt::print("schema version {}, newest known {}\n", status.version, status.newest);
}

Result<void> print_run(const char* direction, const Result<std::vector<int>>& numbers) {
  if (!numbers) return std::unexpected(numbers.error());
  for (const int number : *numbers) fmt::print("{} {:04}\n", direction, number);
  if (numbers->empty()) fmt::print("nothing to do\n");
  return {};
}

Result<void> perform(const MigrateRequest& request) {
  TRY_ASSIGN(const Database database, open_database(request.source));
  switch (request.action) {
    case MigrateAction::up:
      return print_run("up", store::migrate_up(database.conninfo, request.to));
    case MigrateAction::down:
      return print_run("down", store::migrate_down(database.conninfo, request.to));
    case MigrateAction::status:
      break;
  }
  TRY_ASSIGN(const store::SchemaStatus status, store::schema_status(database.conninfo));
  print(status);
  return {};
}

}  // namespace

int migrate(const MigrateRequest& request) {
  const auto done = perform(request);
  return done ? kDone : report(without_password(done.error(), request.source.database));
}

}  // namespace tusk::cli
