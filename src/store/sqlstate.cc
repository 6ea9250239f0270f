#include "sqlstate.h"

#include <cerrno>

namespace tusk::store {
namespace {

enum class Kind { refused, transient, damaged, no_room, disk_full };

Kind kind_of(std::string_view state) {
  const std::string_view group = state.substr(0, 2);
  if (state == "53100") return Kind::disk_full;
  if (group == "53") return Kind::no_room;                           // memory, connections …
  if (group == "08" || group == "57") return Kind::transient;        // connection, an operator
  if (group == "58" || group == "XX") return Kind::damaged;          // the server's disk or insides
  if (state == "40001" || state == "40P01") return Kind::transient;  // conflict, deadlock
  if (state == "25006" || state == "55P03") return Kind::transient;  // standby, lock timeout
  return Kind::refused;
}

}  // namespace

CommitResult commit_result(const PgFailure& failure, bool in_doubt) {
  const Error error{EIO, failure.text(), {}};
  if (failure.sqlstate == kGroupIsCommitted) return {CommitState::committed, {}};
  if (failure.sqlstate == kTreeWasTaken) return {CommitState::fenced, error};
  if (failure.sqlstate == kGroupsAreMissing) return {CommitState::fenced, error};
  if (in_doubt) return {CommitState::unknown, error};
  if (failure.lost) return {CommitState::retry, error};
  switch (kind_of(failure.sqlstate)) {
    case Kind::disk_full:
      return {CommitState::retry, {ENOSPC, failure.text(), {}}};
    case Kind::no_room:
    case Kind::damaged:
    case Kind::transient:
      return {CommitState::retry, error};
    case Kind::refused:
      break;
  }
  return {CommitState::refused, error};
}

Error load_error(const PgFailure& failure) {
  const Kind kind = kind_of(failure.sqlstate);
  const bool may_pass = failure.lost || kind == Kind::transient || kind == Kind::no_room;
  return {may_pass ? ENOTCONN : EIO, failure.text(), {}};
}

Error setup_error(const PgFailure& failure) {
  if (failure.bad_password) {
    return {EACCES, failure.message,
            "check user and password (PGPASSWORD, ~/.pgpass or the connection string)"};
  }
  if (failure.lost) {
    return {ENOTCONN, failure.message,
            "check the connection string and that the server accepts connections"};
  }
  if (failure.sqlstate == "42501") {
    return {EACCES, failure.text(),
            "grant create on the database to this user, or connect as the owner of schema tusk"};
  }
  return {EIO, failure.text(), {}};
}

}  // namespace tusk::store
