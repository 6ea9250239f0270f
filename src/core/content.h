// The content of one regular file or symlink as far as it is in memory: what was written and not
// yet published, what is published and not yet cut, and what is merely cached.
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "core/interval_set.h"
#include "core/parking.h"
#include "tuskfs/base/bytes.h"
#include "tuskfs/base/ids.h"
#include "tuskfs/store/group.h"

namespace tusk::core {

struct Node;

// Bytes of content that the database does not have yet. Counted while any owner holds the charge.
class DirtyCharge {
 public:
  DirtyCharge(std::uint64_t& total, std::size_t bytes) : total_(total), bytes_(bytes) {
    total_ += bytes_;
  }
  DirtyCharge(const DirtyCharge&) = delete;
  DirtyCharge& operator=(const DirtyCharge&) = delete;
  ~DirtyCharge() { total_ -= bytes_; }
  void resize(std::size_t bytes) {
    total_ += bytes - bytes_;
    bytes_ = bytes;
  }

 private:
  std::uint64_t& total_;
  std::size_t bytes_;
};

// Key of a cached piece: a chunk, or kWhole for inline content.
inline constexpr std::int64_t kWhole = -1;
struct CacheKey {
  Node* node;
  std::int64_t chunk;
};
using CacheList = std::list<CacheKey>;

// A piece of content in memory. Bytes beyond its end, up to the chunk's, are zeros.
struct Piece {
  std::shared_ptr<Buffer> data;
  std::shared_ptr<DirtyCharge> charge;  // until a cut has been committed with it
  bool dirty = false;                   // changed after the last publication
  bool sealed = false;                  // written to its end in order: likely final, may be staged
  GroupNo group{};                      // cut that took it; may be dropped once that has committed
  std::optional<CacheList::iterator> cached;
  std::size_t cached_bytes = 0;  // what the cache counts for it
};

// A published piece that waits for the next cut.
struct PublishedPiece {
  SharedBytes data;
  std::shared_ptr<DirtyCharge> charge;
};

// What was published since the last cut.
struct Delta {
  std::optional<PublishedPiece> whole;  // inline form
  std::map<std::int64_t, PublishedPiece> puts;
  struct Drop {
    store::ChunkRange range;
    Version from = 0, below = 0;
  };
  std::vector<Drop> drops;
  std::vector<store::ChunkShare> shares;
  std::vector<Version> published_stages;   // staged ahead, published by now
  std::vector<Uuid> abandoned;             // objects that got chunks and are not wanted any more
  std::optional<WallTime> previous_until;  // what is stored becomes a version that ended then
  std::optional<Version> base;             // what is stored, once something is published
};

// The published state, kept aside while later changes are not published.
struct Published {
  std::uint64_t size = 0;
  store::Form form = store::Form::inline_data;
  std::vector<store::ChunkRange> holes;
  WallTime mtime;
};

struct ChunkLoad {
  store::ChunkRange range;
  Version version = 0;              // of the file when it was asked for
  std::optional<Uuid> object = {};  // where it was then
  IntervalSet overwritten;          // since then: the answer is too old for these
  Waiters waiters;
};

// A content that has not arrived yet where the next one is to be: in an object, or back in rows.
struct ContentLayer {
  std::optional<Uuid> object = {};  // absent: rows
  store::ChunkSource base = {};     // what of it did not change, and where that is
  GroupNo opened{};                 // first group with chunks for the object; 0: none yet
  GroupNo finished{};               // group that publishes it; 0: not published yet
  bool ended = false;               // that group is cut
};

// The content is being moved to where its size alone would not put it.
struct TierMove {
  bool out = false;
  std::int64_t next = 0;  // chunk; those before it are on their way
  bool pure = true;       // nothing was written meanwhile
};

struct Content {
  Piece whole;                           // inline form; data null: not loaded
  std::map<std::int64_t, Piece> chunks;  // chunked form; absent: a hole or not loaded
  IntervalSet holes;                     // chunked form
  IntervalSet touched;                   // chunks written or voided since the last publication
  bool rewritten = false;  // everything was written anew since the content was last empty
  std::unique_ptr<RunningHash> hash;   // null: not written in order from the start
  std::optional<Published> published;  // set while there is something unpublished
  MonotonicTime unpublished_since{};
  std::int64_t stored_end = 0;     // no chunk at or above it has a row
  bool staged = false;             // chunks of version + 1 have been cut
  std::uint64_t sealed_bytes = 0;  // dirty and sealed: can be staged
  std::unique_ptr<Delta> delta;
  // Chunks that are another file's rows: readable once `shared_group` has committed.
  IntervalSet shared;
  GroupNo shared_group{};
  std::vector<ContentLayer> layers;  // the newest last; empty: the content is where its row says
  std::optional<Uuid> adopted;       // another file's object, to be published as this one's
  std::optional<TierMove> moving;    // until the next publication
  std::list<ChunkLoad> loading;
  std::int64_t next_read_chunk = 0;  // a read that goes on here is sequential
  std::int64_t readahead_end = 0;

  bool unpublished() const { return published.has_value(); }
};

// Larger files are refused with EFBIG.
inline constexpr std::uint64_t kMostBytes = std::uint64_t{1} << 60;

// Nothing that the database does not tell as well.
inline bool holds_nothing(const Content& content) {
  return !content.whole.data && content.chunks.empty() && content.holes.empty() &&
         !content.unpublished() && !content.delta && !content.staged && content.loading.empty() &&
         content.shared.empty() && content.layers.empty() && !content.hash;
}

inline std::int64_t chunk_of(std::uint64_t offset) {
  return static_cast<std::int64_t>(offset / store::kChunkBytes);
}
inline std::int64_t chunks_in(std::uint64_t size) {
  return static_cast<std::int64_t>((size + store::kChunkBytes - 1) / store::kChunkBytes);
}

}  // namespace tusk::core
