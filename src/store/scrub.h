// Verifying the checksums of stored contents.
#pragma once

#include "connection.h"
#include "tuskfs/store/fsck.h"

namespace tusk::store {

// In the open transaction, in pages of bounded size. `tenant` nil: every tree. Returns the bytes
// verified; each mismatch is told to the watcher.
Result<std::int64_t> scrub(Connection& connection, TenantId tenant, const FsckWatcher& watcher);

}  // namespace tusk::store
