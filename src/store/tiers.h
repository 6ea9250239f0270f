// Chunks that are in objects outside the database: written before the group that refers to them
// commits, read in place of rows.
//
// 1. A row refers to an object only once that is durable; an object is noted in tusk.objects before
//    its first byte is written. So whatever dies when, no content is lost, and no object forgotten.
// 2. An object has every chunk of its content, so a reader needs one object or the rows, never
//    both.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "attach.h"
#include "loader.h"
#include "object_sums.h"
#include "tuskfs/objects/objects.h"
#include "tuskfs/store/group.h"
#include "tuskfs/store/store.h"

namespace tusk::store {

class Tiers {
 public:
  // `objects` null: the tree has none, and rows that refer to some cannot be read.
  Tiers(std::unique_ptr<objects::Objects> objects, const Lease& lease);
  ~Tiers();

  // On the committing thread. Writes what the group has for objects and finishes those that it
  // ends; answers the group as rows alone, without those of files whose object fails for good.
  // After an error it may be called again.
  struct Written {
    std::shared_ptr<const Group> rows;
    std::vector<Refusal> refused = {};
  };
  Result<Written> write(std::shared_ptr<const Group> group, Loader& loader);
  // The group has committed: its objects are like any other from now on.
  void settle(const Group& group);

  // Any thread, each with a loader of its own.
  Result<std::vector<Chunk>> read(const ChunkQuery& query, Loader& loader);
  objects::Objects* objects() { return objects_.get(); }

 private:
  struct Writing;
  using WritingPtr = std::shared_ptr<Writing>;

  Result<void> require_objects() const;
  WritingPtr find(Uuid object);
  Result<WritingPtr> open(const ObjectWrite& write, Loader& loader);
  Result<void> apply(const ObjectWrite& write, Loader& loader);
  Result<void> finish(Writing& writing, const ObjectWrite& write, Loader& loader);
  Result<void> fetch(const ObjectFetch& fetch, Group& into, Loader& loader);
  Result<std::vector<Chunk>> read_object(Uuid object, ChunkRange range, Loader& loader);
  Result<bool> apply_or_refuse(const ObjectWrite& write, Written& written, Loader& loader);
  void abandon(Uuid object);

  const std::unique_ptr<objects::Objects> objects_;
  const Lease& lease_;
  SumsCache sums_;
  std::unordered_map<Uuid, int> failures_;  // in a row; the committing thread's
  std::mutex mutex_;
  std::unordered_map<Uuid, WritingPtr> writings_;  // guarded by mutex_
};

}  // namespace tusk::store
