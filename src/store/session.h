// Opening connections: settings, and whether the driver can work with the server at all.
#pragma once

#include <memory>

#include "connection.h"
#include "tuskfs/base/result.h"
#include "tuskfs/store/postgres.h"

namespace tusk::store {

// A connection with the driver's settings.
PgExpected<std::unique_ptr<Connection>> open_session(ConnectionContext& context);

// The same for the first connection: refuses servers that are too old, standbys and databases that
// are not UTF-8, with a line for people.
Result<std::unique_ptr<Connection>> open_first_session(ConnectionContext& context);

// For a store: with an event that ends its waits once it is written to.
Result<std::unique_ptr<ConnectionContext>> make_context(const PostgresOptions& options);
void stop_waiting(const ConnectionContext& context);

// ENOENT: there is no such tree.
Result<TenantId> find_tenant(Connection& connection, const std::string& name);

}  // namespace tusk::store
