// Pieces of objects that were read lately: a few in memory, more on the local disk. The file on
// disk has no name, so it is gone with the process and nothing of it is ever found damaged later.
#pragma once

#include <list>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <vector>

#include "objects/s3/spool.h"
#include "tuskfs/base/ids.h"

namespace tusk::objects {

inline constexpr std::uint64_t kPieceBytes = 1 << 20;

struct PieceId {
  Uuid object;
  std::uint64_t number = 0;
  bool operator==(const PieceId&) const = default;
};
struct PieceIdHash {
  std::size_t operator()(const PieceId& id) const noexcept {
    return std::hash<Uuid>()(id.object) ^ static_cast<std::size_t>(id.number * 0x9e3779b97f4a7c15u);
  }
};

// Any thread. Whatever goes wrong on the local disk is a piece that is not there.
class PieceCache {
 public:
  struct Limits {
    std::size_t memory_pieces = 32;
    std::size_t disk_pieces = 0;
  };
  // An empty folder: in memory only.
  PieceCache(const std::string& folder, Limits limits);

  SharedBytes find(const PieceId&);
  void keep(const PieceId&, SharedBytes);
  void drop(Uuid object);

 private:
  struct Entry {
    PieceId id;
    SharedBytes in_memory;            // empty: on disk only
    std::optional<std::size_t> slot;  // of the file
    std::size_t bytes = 0;
    Checksum checksum;
  };
  using Entries = std::list<Entry>;

  void forget(Entries::iterator);
  void make_room();
  void store(const PieceId&, const SharedBytes&);
  SharedBytes load(const Entry&);

  const Limits limits_;
  std::optional<Spool> file_;
  std::mutex mutex_;
  Entries entries_;  // the last used first
  std::unordered_map<PieceId, Entries::iterator, PieceIdHash> by_id_;
  std::vector<std::size_t> free_slots_;
  std::size_t slots_ = 0;  // that the file has had so far
};

}  // namespace tusk::objects
