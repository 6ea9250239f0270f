// A set of chunk numbers as ordered, disjoint, non-touching half-open ranges.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "tuskfs/store/rows.h"

namespace tusk::core {

class IntervalSet {
 public:
  IntervalSet() = default;
  explicit IntervalSet(const std::vector<store::ChunkRange>& ranges) {
    for (const auto& r : ranges) add(r.first, r.last);
  }

  bool empty() const { return ranges_.empty(); }
  void clear() { ranges_.clear(); }
  bool contains(std::int64_t value) const;
  void add(std::int64_t first, std::int64_t last);
  void remove(std::int64_t first, std::int64_t last);
  // The parts of the set inside [first, last).
  std::vector<store::ChunkRange> within(std::int64_t first, std::int64_t last) const;
  std::vector<store::ChunkRange> ranges() const { return within(INT64_MIN, INT64_MAX); }
  // How many numbers of [first, last) are in the set.
  std::int64_t count_within(std::int64_t first, std::int64_t last) const;

 private:
  std::map<std::int64_t, std::int64_t> ranges_;  // first -> last
};

}  // namespace tusk::core
