// Reading objects piece by piece: what is cached, else from the server, and ahead of who reads on.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <thread>
#include <unordered_set>

#include "objects/s3/piece_cache.h"
#include "tuskfs/base/result.h"

namespace tusk::objects {

// Any thread. No piece is fetched twice at a time.
class Pieces {
 public:
  struct Fetched {
    Buffer bytes;  // fewer than kPieceBytes at the object's end, none behind it
    std::optional<std::uint64_t> object_bytes;
  };
  using Fetch = std::function<Result<Fetched>(const PieceId&)>;
  Pieces(const std::string& folder, PieceCache::Limits limits, Fetch fetch);
  ~Pieces();

  Result<std::size_t> read(Uuid object, std::uint64_t offset, std::span<std::uint8_t> into);
  void drop(Uuid object);

 private:
  struct Reader {
    std::uint64_t next = ~0ULL;  // the piece that would be read on
    std::uint64_t ahead = 0;     // pieces to be fetched ahead
    std::uint64_t asked = 0;     // up to here they have been
    std::uint64_t end = ~0ULL;   // no piece from here on
  };

  Result<SharedBytes> get(const PieceId&);
  Result<SharedBytes> fetch(const PieceId&);
  void done_with(const PieceId&);
  void note_end(Uuid object, std::uint64_t object_bytes);
  void read_ahead(const PieceId&);
  void work(const std::stop_token& stop);

  PieceCache cache_;
  const Fetch fetch_;
  std::mutex mutex_;  // of everything below
  std::condition_variable_any changed_;
  std::unordered_set<PieceId, PieceIdHash> under_way_;
  std::unordered_map<Uuid, Reader> readers_;  // emptied when there are too many
  std::deque<PieceId> wanted_;                // ahead
  std::vector<std::jthread> threads_;         // started when first needed
};

}  // namespace tusk::objects
