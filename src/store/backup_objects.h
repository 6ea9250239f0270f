// The objects of a backup: BACKUP/objects/TREE/…, laid out as a local place, so that a restore can
// copy them as they are.
#pragma once

#include <optional>
#include <string>

#include "connection.h"
#include "tuskfs/store/backup.h"

namespace tusk::store {

inline constexpr const char* kObjectsFolder = "objects";

// While it lives, no object of the database is removed.
Result<void> hold_objects(Connection& connection);

// Those that rows refer to as of the open transaction, into the backup at `path`. What the previous
// backup has is linked from there, with its checksum; each is a hard link or reflink where that is
// possible.
Result<void> copy_objects(Connection& connection, const std::string& path,
                          const std::optional<Backup>& previous, Manifest& manifest);

// Brings a backup's objects to `location`, before the rows that refer to them.
Result<void> restore_objects(const Backup& backup, const std::string& location);
// Notes in the restored database that its objects are there.
Result<void> note_objects(Connection& connection, const Backup& backup,
                          const std::string& location);

bool has_objects(const Backup& backup);

}  // namespace tusk::store
