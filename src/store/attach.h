// Taking a tree: the advisory lock that one session holds, and the epoch that fences late writers.
#pragma once

#include "connection.h"
#include "tuskfs/base/result.h"
#include "tuskfs/store/postgres.h"
#include "tuskfs/store/store.h"

namespace tusk::store {

struct Lease {
  Attached attached;
  std::int64_t epoch = 0;
  std::int64_t last_change = 0;  // of SQL clients, before the tree was taken
  std::string objects_place;     // how the urls of the tree's objects begin; empty: it has none
};

// Finds (or, for the tree 'default', makes) the tree, takes it and purges what a crashed mount
// left.
Result<Lease> take_tree(Connection& connection, const PostgresOptions& options);

// Locks the tree for this session, against other mounts and against SQL clients that write. EBUSY,
// with a line that says who holds it.
Result<void> lock_tree(Connection& connection, TenantId tenant, const std::string& name);

// A new epoch, which fences whoever held the tree before; a row with it and the last group.
Result<PgResult> begin_tenure(Connection& connection, TenantId tenant,
                              const std::string& mountpoint);

// Takes the tree again on a new connection. The value is the last group that committed. Fenced when
// another mount took it meanwhile.
struct Retaken {
  CommitState state = CommitState::committed;
  Error error;
  std::int64_t last_group = 0;
};
Retaken retake_tree(Connection& connection, TenantId tenant, std::int64_t epoch);

}  // namespace tusk::store
