// What a server's SQLSTATE means to us. Never decided by the text of a message.
#pragma once

#include "connection.h"
#include "tuskfs/base/result.h"
#include "tuskfs/store/store.h"

namespace tusk::store {

// Raised by tusk.begin_group.
inline constexpr std::string_view kGroupIsCommitted = "TF001";
inline constexpr std::string_view kTreeWasTaken = "TF002";
inline constexpr std::string_view kGroupsAreMissing = "TF003";

inline constexpr std::string_view kUniqueViolation = "23505";

// `in_doubt`: the connection was lost when the server may have seen COMMIT, and did not answer it.
CommitResult commit_result(const PgFailure& failure, bool in_doubt);

// ENOTCONN when another connection may help, EIO otherwise.
Error load_error(const PgFailure& failure);

// For people at attach and migrate: what failed and what to do.
Error setup_error(const PgFailure& failure);

}  // namespace tusk::store
