// The inodes of a keyed tree that the kernel knows.
#pragma once

#include <map>
#include <optional>
#include <unordered_map>
#include <utility>

#include "tuskfs/base/executor.h"
#include "virtual/keyed/place.h"

namespace tusk::virt {

// What was told of a file a moment ago.
struct Facts {
  std::uint64_t size = 0;
  WallTime changed_at{};
  MonotonicTime known_at{};
};

struct KeyedNode {
  Ino ino{}, parent{};
  Spot spot;
  std::uint64_t lookups = 0;
  std::optional<Facts> facts = {};
};

class KeyedNodes {
 public:
  // The top's number is `first`; it and the folders in it stay.
  KeyedNodes(const Place& top, Ino first);

  KeyedNode* find(Ino ino);
  const KeyedNode* find(Ino ino) const;
  const KeyedNode& top_folder(std::string_view name) const;
  // The spot's inode, a new one if it has none; counts a lookup.
  KeyedNode& add(const Spot& spot, Ino parent);
  void forget(Ino ino, std::uint64_t count);

 private:
  using Id = std::pair<const Place*, Keys>;

  const Place& top_;
  const std::uint64_t first_;
  std::uint64_t last_ino_;
  std::map<Id, KeyedNode> nodes_;
  std::unordered_map<std::uint64_t, KeyedNode*> by_ino_;
};

}  // namespace tusk::virt
