// The inodes of .tusk that the kernel knows, or that are in use.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>

#include "virtual/item.h"

namespace tusk::virt {

// Inode numbers of .tusk have this bit; those of the tree never do, as they come from 62 bits.
inline constexpr std::uint64_t kDotTuskBit = std::uint64_t{1} << 63;
inline constexpr Ino kDotTuskIno{kDotTuskBit | 1};

// And this one too when they are the sidecar's; a third bit those of its cache, a fourth those of
// its sessions, limits and flags.
inline constexpr std::uint64_t kSidecarBit = std::uint64_t{1} << 62;
inline constexpr std::uint64_t kCacheBit = std::uint64_t{1} << 61;
inline constexpr std::uint64_t kKeyedBit = std::uint64_t{1} << 60;
inline constexpr Ino kSidecarIno{kDotTuskBit | kSidecarBit | 1};

inline bool is_in_dot_tusk(Ino ino) { return (static_cast<std::uint64_t>(ino) & kDotTuskBit) != 0; }

inline bool is_in_sidecar(Ino ino) {
  return is_in_dot_tusk(ino) && (static_cast<std::uint64_t>(ino) & kSidecarBit) != 0;
}

struct Node {
  Ino ino{}, parent{};
  std::string key;
  Item item;
  std::uint64_t lookups = 0;
  // What the folder held a moment ago, for those who look up one name after the other.
  SharedListing listing;
  MonotonicTime listed_at{};
};

class Table {
 public:
  // `ino`: the top's.
  Table(Item top, Ino ino);

  Node* find(Ino ino);
  // The top as it has become: its attributes.
  vfs::Attr set_top(Item top);
  // The number that the item has or will have.
  Ino number_of(Ino parent, const Item& item) const;
  // Counts a lookup.
  Node& add(Ino parent, const Item& item);
  void forget(Ino ino, std::uint64_t count);
  std::size_t size() const { return nodes_.size(); }

 private:
  Ino number_of(const std::string& key) const;

  const Ino top_;
  std::unordered_map<std::uint64_t, std::unique_ptr<Node>> nodes_;
};

}  // namespace tusk::virt
