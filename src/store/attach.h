// Taking a tree: a row and an advisory lock for each of its mounts. See migration 0010.
#pragma once

#include "connection.h"
#include "turns.h"
#include "tuskfs/base/result.h"
#include "tuskfs/store/postgres.h"
#include "tuskfs/store/store.h"

namespace tusk::store {

struct Lease {
  Attached attached;
  std::int64_t epoch = 0;
  // Changes of others by transactions before this one are in what was read.
  std::int64_t known_to = 0;
  std::string host;           // that it runs on
  std::string objects_place;  // how the urls of the tree's objects begin; empty: it has none

  MountId mount() const { return {attached.tenant, epoch}; }
};

// Finds (or, for the tree 'default', makes) the tree, and becomes one of its mounts: with the
// delegation, and after what mounts left that do not come back is gone. `watch` is the session that
// looks out for others from then on.
Result<Lease> take_tree(Connection& connection, Connection& watch, const PostgresOptions& options);

// For repair and removal: the tree for this session alone, without mounts and SQL clients that
// write. EBUSY, with a line that says who is there.
Result<void> lock_tree(Connection& connection, TenantId tenant, const std::string& name);

// Of whatever is made by the store itself.
Uuid new_id();

// A tree that was restored: mounts that were there when it was saved do not come back, and what
// they had left half done goes.
Result<void> settle_tree(Connection& connection, const std::string& name);

// Takes the place of a mount on a new connection. The value is the last group that committed.
// Fenced when the mount was given up meanwhile.
struct Retaken {
  CommitState state = CommitState::committed;
  Error error;
  std::int64_t last_group = 0;
};
Retaken retake_tree(Connection& connection, const MountId& mount);

}  // namespace tusk::store
