// Connection poolers between us and the server.
#pragma once

#include "connection.h"
#include "tuskfs/base/result.h"

namespace tusk::store {

// EPROTONOSUPPORT: what is set or locked in a session would be another client's a moment later.
// Before anything is prepared in it.
Result<void> refuse_transaction_pooling(ConnectionContext& context, Connection& first);

}  // namespace tusk::store
