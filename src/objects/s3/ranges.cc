#include "objects/s3/ranges.h"

#include <algorithm>

namespace tusk::objects {

void Ranges::add(Extent extent) {
  if (extent.begin >= extent.end) return;
  auto it = ends_.upper_bound(extent.begin);
  if (it != ends_.begin() && std::prev(it)->second >= extent.begin) --it;
  while (it != ends_.end() && it->first <= extent.end) {
    extent.begin = std::min(extent.begin, it->first);
    extent.end = std::max(extent.end, it->second);
    it = ends_.erase(it);
  }
  ends_.emplace(extent.begin, extent.end);
}

void Ranges::cut(std::uint64_t size) {
  ends_.erase(ends_.lower_bound(size), ends_.end());
  if (ends_.empty()) return;
  auto& end = std::prev(ends_.end())->second;
  end = std::min(end, size);
}

bool Ranges::covers(Extent extent) const { return gaps(extent).empty(); }

bool Ranges::touches(Extent extent) const {
  const auto left = gaps(extent);
  return left.size() != 1 || left[0].begin != extent.begin || left[0].end != extent.end;
}

std::vector<Extent> Ranges::gaps(Extent extent) const {
  std::vector<Extent> found;
  auto it = ends_.upper_bound(extent.begin);
  if (it != ends_.begin()) --it;
  for (; it != ends_.end() && it->first < extent.end; ++it) {
    if (it->second <= extent.begin) continue;
    if (it->first > extent.begin) found.push_back({extent.begin, it->first});
    extent.begin = it->second;
  }
  if (extent.begin < extent.end) found.push_back(extent);
  return found;
}

}  // namespace tusk::objects
