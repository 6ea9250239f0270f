// The most that a tree may hold.
#pragma once

#include <cstdint>
#include <optional>

namespace tusk::store {

// Absent: as much as there is room for.
struct Quota {
  std::optional<std::int64_t> bytes;  // the lengths of its files together
  std::optional<std::int64_t> files;  // files, folders, links …, the root not counted
  bool operator==(const Quota&) const = default;
};

}  // namespace tusk::store
