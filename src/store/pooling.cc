#include "pooling.h"

#include <cerrno>
#include <cstdlib>

#include "sqlstate.h"
#include "statements.h"

namespace tusk::store {
namespace {

// Other clients of the pooler may hide what it does, for a moment.
constexpr int kRounds = 5;

std::unexpected<Error> refusal() {
  return fail(EPROTONOSUPPORT,
              "a connection pooler stands before the server and hands its connections out by "
              "transaction: the session's locks and settings would be other clients'",
              "set pool_mode = session for this database or user in PgBouncer, or name "
              "PostgreSQL's own address");
}

PgExpected<std::string> backend_of(Connection& connection) {
  auto found = connection.run_script(statement("backend").text);
  if (!found) return std::unexpected(std::move(found).error());
  return std::string(found->row(0).text(0));
}

}  // namespace

// Two sessions that are open at the same time never have one backend, and none changes its own.
Result<void> refuse_transaction_pooling(ConnectionContext& context, Connection& first) {
  if (!first.is_pooled()) return {};
  auto other = Connection::open(context);
  if (!other) {
    Error error = setup_error(other.error());
    error.hint = "a mount needs some ten connections of the pooler: see its default_pool_size";
    return std::unexpected(error);
  }
  for (int round = 0; round < kRounds; round++) {
    const auto before = backend_of(first);
    if (!before) return std::unexpected(setup_error(before.error()));
    // Refused where connections are handed out by statement.
    if (!(*other)->run_script(statement("begin").text)) return refusal();
    const auto others = backend_of(**other);
    const auto after = backend_of(first);
    if (!others || !after || !(*other)->run_script(statement("rollback").text)) return refusal();
    if (*others == *before || *after != *before) return refusal();
  }
  return {};
}

}  // namespace tusk::store
