// Clean content kept in memory, least recently used first out.
#pragma once

#include <cstdint>
#include <functional>

#include "core/content.h"

namespace tusk::core {

class Cache {
 public:
  explicit Cache(std::uint64_t limit) : limit_(limit) {}

  // Enters or refreshes a piece. It is dropped when its turn comes, unless it has changed since.
  void touch(Node& node, std::int64_t chunk, Piece& piece);
  void remove(Piece& piece);
  // Drops what is over the limit; `committed` tells which pieces the database has.
  void trim(const std::function<bool(GroupNo)>& committed);
  std::uint64_t bytes() const { return bytes_; }

 private:
  std::uint64_t limit_;
  std::uint64_t bytes_ = 0;
  CacheList list_;
};

}  // namespace tusk::core
