// Opening connections: settings, and whether the driver can work with the server at all.
#pragma once

#include <memory>

#include "connection.h"
#include "tuskfs/base/result.h"

namespace tusk::store {

// A connection with the driver's settings.
PgExpected<std::unique_ptr<Connection>> open_session(ConnectionContext& context);

// The same for the first connection: refuses servers that are too old, standbys and databases that
// are not UTF-8, with a line for people.
Result<std::unique_ptr<Connection>> open_first_session(ConnectionContext& context);

}  // namespace tusk::store
