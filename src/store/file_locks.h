// Locks of files that mounts of one tree agree on. See migration 0013.
#pragma once

#include "loader.h"
#include "turns.h"
#include "tuskfs/store/store.h"

namespace tusk::store {

// See Store.
Result<bool> set_locks(Loader& loader, const MountId& mount, const LockQuestion& question);
Result<std::optional<FileLock>> find_lock(Loader& loader, const MountId& mount,
                                          const LockQuestion& question);

}  // namespace tusk::store
