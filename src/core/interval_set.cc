#include "core/interval_set.h"

#include <algorithm>

namespace tusk::core {

bool IntervalSet::contains(std::int64_t value) const {
  auto it = ranges_.upper_bound(value);
  return it != ranges_.begin() && std::prev(it)->second > value;
}

void IntervalSet::add(std::int64_t first, std::int64_t last) {
  if (first >= last) return;
  auto it = ranges_.upper_bound(first);
  if (it != ranges_.begin() && std::prev(it)->second >= first) --it;
  while (it != ranges_.end() && it->first <= last) {
    first = std::min(first, it->first);
    last = std::max(last, it->second);
    it = ranges_.erase(it);
  }
  ranges_.emplace(first, last);
}

void IntervalSet::remove(std::int64_t first, std::int64_t last) {
  if (first >= last) return;
  auto it = ranges_.upper_bound(first);
  if (it != ranges_.begin() && std::prev(it)->second > first) --it;
  while (it != ranges_.end() && it->first < last) {
    const auto [from, to] = *it;
    it = ranges_.erase(it);
    if (from < first) ranges_.emplace(from, first);
    if (to > last) ranges_.emplace(last, to);
  }
}

std::vector<store::ChunkRange> IntervalSet::within(std::int64_t first, std::int64_t last) const {
  std::vector<store::ChunkRange> out;
  auto it = ranges_.upper_bound(first);
  if (it != ranges_.begin() && std::prev(it)->second > first) --it;
  for (; it != ranges_.end() && it->first < last; ++it) {
    out.push_back({std::max(it->first, first), std::min(it->second, last)});
  }
  return out;
}

std::int64_t IntervalSet::count_within(std::int64_t first, std::int64_t last) const {
  std::int64_t count = 0;
  for (const auto& r : within(first, last)) count += r.last - r.first;
  return count;
}

}  // namespace tusk::core
