#include "cli/database.h"

#include <fmt/format.h>

#include <cerrno>
#include <filesystem>

namespace tusk::cli {

Result<Database> open_database(const Source& source) {
  if (!source.embedded()) return Database{nullptr, source.database};
  const std::string folder = source.data_dir.empty() ? store::default_data_dir() : source.data_dir;
  TRY_ASSIGN(auto cluster, store::EmbeddedCluster::claim(folder));
  std::string conninfo = cluster->conninfo();
  return Database{std::move(cluster), std::move(conninfo)};
}

Result<Database> open_tree(const Source& source, store::AskedOf asked) {
  const std::string folder = source.data_dir.empty() ? store::default_data_dir() : source.data_dir;
  if (source.embedded() && !std::filesystem::exists(folder + "/start.lock"))
    return fail(ENOENT, fmt::format("{} is no data folder of tuskfs", folder),
                "name the database, or the data folder with --data-dir");
  TRY_ASSIGN(Database database, open_database(source));
  TRY_ASSIGN(const store::SchemaStatus status,
             store::schema_status(database.conninfo, store::Schema::tree, asked));
  if (status.version == 0)
    return fail(ENOENT, "there is no tree in the database", "tuskfs mount makes one");
  if (status.version == status.newest) return database;
  return fail(EINVAL,
              fmt::format("the schema has version {}, this program works with {}", status.version,
                          status.newest),
              "run tuskfs migrate up");
}

Result<void> check_schema(const store::SchemaStatus& status) {
  for (const store::MigrationState& migration : status.migrations) {
    if (migration.checksum_ok) continue;
    return fail(EINVAL,
                fmt::format("migration {:04} ({}) of the database is not the one of this program",
                            migration.number, migration.name),
                "use the program that made the schema");
  }
  if (status.version <= status.newest) return {};
  return fail(EINVAL,
              fmt::format("the schema has version {}, this program knows {}", status.version,
                          status.newest),
              "use a newer tuskfs");
}

Result<void> prepare_schema(const std::string& conninfo, bool migrate) {
  TRY_ASSIGN(const store::SchemaStatus status, store::schema_status(conninfo));
  TRY(check_schema(status));
  if (!status.empty && status.version == status.newest) return {};
  if (!status.empty && status.version > 0 && !migrate) {
    return fail(EINVAL,
                fmt::format("the schema has version {}, this program works with {}", status.version,
                            status.newest),
                "mount with --migrate, or run tuskfs migrate up");
  }
  TRY(store::migrate_up(conninfo));
  return {};
}

}  // namespace tusk::cli
