// Removes objects that nothing refers to.
#pragma once

#include <chrono>
#include <functional>

#include "connection.h"
#include "tuskfs/objects/objects.h"

namespace tusk::store {

// How many went. Nothing while a backup copies objects. `go_on` is asked between two objects.
// An object is removed before its row, so that none is forgotten.
Result<std::int64_t> collect_objects(Connection& connection, objects::StoredObjects& objects,
                                     TenantId tenant, std::chrono::seconds grace,
                                     const std::function<bool()>& go_on);

}  // namespace tusk::store
