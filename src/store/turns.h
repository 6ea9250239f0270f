// Mounts of one tree wait for each other: for the delegation, and for one that looks at it alone.
#pragma once

#include <map>
#include <vector>

#include "connection.h"
#include "tuskfs/base/ids.h"

namespace tusk::store {

// Which mount this is.
struct MountId {
  TenantId tenant;
  std::int64_t epoch = 0;
};

// Waits for a lock of another mount, one bounded turn a call. A mount that holds it and has not
// said for a while that it is at work is frozen, or cut off: it loses its sessions, and with them
// what it holds. Used by one thread.
class Turns {
 public:
  explicit Turns(MountId mount) : mount_(mount) {}
  // `statement`: one of sql/queries/delegation.sql that takes the tree. False: not yet.
  PgExpected<bool> wait(Connection& connection, std::string_view statement);

 private:
  const MountId mount_;
  int in_vain_ = 0;
};

// What others have changed since transaction `since`, the ones before it excepted.
struct OthersChanges {
  struct Change {
    Uuid entry;
    std::int64_t id = 0;
    std::int64_t transaction = 0;
  };
  std::vector<Change> changes;
  std::int64_t known_to = 0;  // transactions before this one are known for good
};
// One row at least, of statement changes_since.
OthersChanges read_changes(const PgResult& rows);
Params changes_since(std::int64_t since, const MountId& mount);

// What a reader of the changes knows. Numbers are given before they are committed, so later ones
// may be seen before earlier ones: what counts is whether the transaction has ended.
class KnownChanges {
 public:
  explicit KnownChanges(std::int64_t known_to) : known_to_(known_to) {}
  std::int64_t since() const { return known_to_; }
  // The entries of changes that were not known, which they are from now on.
  std::vector<Uuid> learn(const OthersChanges& found);

 private:
  std::int64_t known_to_;                       // all by transactions before this one
  std::map<std::int64_t, std::int64_t> later_;  // others by number, with their transaction
};

}  // namespace tusk::store
