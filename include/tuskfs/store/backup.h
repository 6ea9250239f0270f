// Backups: folders, each of one moment of a database, that any server can be given.
//
// DIR/2026-11-23T01-02-03Z/
//   manifest.json   what the backup is, and the SHA-256 of every other file
//   dump/           pg_dump of schema tusk in directory format
//   objects/        large files' contents, laid out as --objects has them; what did not change
//                   since the backup before is linked from there
//
// A backup is made under a hidden name and renamed when all of it is on the disk: what bears a
// backup's name is whole.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "tuskfs/base/result.h"
#include "tuskfs/objects/objects.h"

namespace tusk::store {

struct TreeCounts {
  std::int64_t files = 0, folders = 0, bytes = 0;  // in the tree
  std::int64_t trashed = 0, versions = 0;
  bool operator==(const TreeCounts&) const = default;
};

struct Manifest {
  std::string tuskfs_version;
  int schema_version = 0;
  std::string taken_at;  // ISO time
  std::string server_version;
  std::map<std::string, TreeCounts> trees;       // by tenant
  std::map<std::string, std::string> checksums;  // SHA-256 by path within the backup
};

struct Backup {
  std::string name;
  std::string path;
  std::int64_t bytes = 0;
  Manifest manifest;
};

// Of all trees of the database; may be mounted and written to. The new backup.
Result<Backup> make_backup(const std::string& conninfo, const std::string& folder);

// Oldest first; what is not a backup is passed over.
Result<std::vector<Backup>> list_backups(const std::string& folder);
// The backup at a path, or the newest in the folder there.
Result<Backup> find_backup(const std::string& path);

// Into a database without a schema tusk, in one transaction. EEXIST when it has one. What lies
// outside of it is copied to the place `objects` before; EINVAL when that is empty and needed.
Result<void> restore_backup(const Backup& backup, const std::string& conninfo,
                            const std::string& objects);

// Compares the checksums, restores into a cluster of its own, checks and scrubs that and compares
// the counts.
// `access`: to read large files that are encrypted.
Result<void> verify_backup(const Backup& backup, const objects::Access& access);

// Removes all but the `keep` newest, and what killed backups left; the names of the former.
Result<std::vector<std::string>> prune_backups(const std::string& folder, int keep);

}  // namespace tusk::store
