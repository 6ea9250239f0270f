// Checksums of an object's chunks, as tusk.objects(sums) has them.
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "loader.h"

namespace tusk::store {

using Sums = std::vector<std::uint64_t>;

// XXH3-64 of a chunk, filled up with zeros where it is short.
std::uint64_t sum_of_chunk(ByteSpan data);
std::uint64_t sum_of_zeros();
Buffer packed(const Sums& sums);
Sums unpacked(ByteSpan bytes);

// Numbers [first, first + count) of them; fewer when the object ends before. ENOENT: no such
// object.
Result<Sums> load_sums(Loader& loader, Uuid object, std::int64_t first, std::int64_t count);

// What was loaded lately. Any thread.
class SumsCache {
 public:
  // Nothing: the object has no such chunk.
  Result<std::optional<std::uint64_t>> sum(Loader& loader, Uuid object, std::int64_t chunk);

 private:
  using Key = std::pair<Uuid, std::int64_t>;  // a slice of kSliceChunks
  struct Slice {
    std::shared_ptr<const Sums> sums;
    std::list<Key>::iterator used;
  };
  std::shared_ptr<const Sums> find(const Key& key);
  void keep(const Key& key, std::shared_ptr<const Sums> sums);

  std::mutex mutex_;
  std::map<Key, Slice> slices_;  // guarded by mutex_
  std::list<Key> used_;          // guarded by mutex_; the latest first
};

}  // namespace tusk::store
