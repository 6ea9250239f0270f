// Where a tree's objects are: as asked for, else as noted with the tree.
#pragma once

#include <memory>

#include "attach.h"
#include "tuskfs/objects/objects.h"

namespace tusk::store {

// For the mount that has just taken the tree: notes the place, also when the objects were moved to
// where they are now asked for. Null: the tree keeps everything in the database.
Result<std::unique_ptr<objects::Objects>> open_objects(Connection& connection,
                                                       const PostgresOptions& options,
                                                       Lease& lease);

// For those who work beside a mount. Null: the tree has none.
Result<std::unique_ptr<objects::Objects>> open_noted_objects(Connection& connection,
                                                             TenantId tenant,
                                                             const objects::Access& access);
// Needs no key.
Result<std::unique_ptr<objects::StoredObjects>> open_stored_objects(Connection& connection,
                                                                    TenantId tenant);

}  // namespace tusk::store
