// Numbered migrations of the schemas.
#pragma once

#include <string>
#include <vector>

#include "tuskfs/base/result.h"

namespace tusk::store {

// Each has migrations of its own, and needs none of the others.
enum class Schema {
  tree,   // tusk: files and folders
  cache,  // tusk_cache: cache, sessions, rate limits, flags
  stats,  // tusk_stats: thresholds, and the views of the statistics
};

struct MigrationState {
  int number = 0;
  std::string name;
  bool applied = false;
  bool checksum_ok = true;
  std::string applied_at;  // ISO time, empty when not applied
};

struct SchemaStatus {
  bool empty = false;  // no such schema at all
  int version = 0;     // newest applied; 0: none
  int newest = 0;      // newest this binary knows
  std::vector<MigrationState> migrations;
};

// All refuse a server under 13, a database that is not UTF-8, drift (a recorded checksum that
// differs) and a schema newer than this binary, each with one clear line.
// A standby that is the only server can be asked as well; of several, the primary is, unless told.
enum class AskedOf { primary, standby };
Result<SchemaStatus> schema_status(const std::string& conninfo, Schema schema = Schema::tree,
                                   AskedOf of = AskedOf::primary);
// Each step in one transaction under an advisory lock with a lock_timeout. `to` < 0: the newest.
// Return the numbers that were run.
Result<std::vector<int>> migrate_up(const std::string& conninfo, int to = -1,
                                    Schema schema = Schema::tree);
// `to`: the version to be left with (default: one step down).
Result<std::vector<int>> migrate_down(const std::string& conninfo, int to = -1,
                                      Schema schema = Schema::tree);

}  // namespace tusk::store
