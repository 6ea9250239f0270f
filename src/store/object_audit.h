// Rows of tusk.objects against the objects themselves, both ways.
#pragma once

#include <memory>
#include <unordered_map>

#include "connection.h"
#include "tuskfs/objects/objects.h"
#include "tuskfs/store/fsck.h"

namespace tusk::store {

// What a tree's place holds. Listed before the moment of the rows is fixed: what differs because it
// came or went meanwhile is looked at again.
class ObjectAudit {
 public:
  static Result<ObjectAudit> begin(std::unique_ptr<objects::StoredObjects> objects);

  // In the open transaction. Objects that no row knows are removed with `repair`.
  Result<void> compare(Connection& connection, TenantId tenant, bool repair,
                       const std::function<void(const Finding&, bool is_left)>& tell);
  // Reads every stored object; the bytes that were read.
  Result<std::int64_t> scrub(Connection& connection, TenantId tenant, objects::Objects& contents,
                             const FsckWatcher& watcher, std::int64_t before);

 private:
  struct Stored {
    Uuid id;
    std::uint64_t size = 0;
  };
  Result<std::vector<Stored>> stored(Connection& connection, TenantId tenant);
  Result<bool> is_there(Uuid id);
  Result<void> find_missing(const std::vector<Stored>& stored,
                            const std::function<void(const Finding&, bool)>& tell);
  Finding finding(const char* check, Uuid id, const std::string& remedy = {}) const;

  std::unique_ptr<objects::StoredObjects> objects_;
  std::unordered_map<Uuid, std::uint64_t> listed_;
};

}  // namespace tusk::store
