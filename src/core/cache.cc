#include "core/cache.h"

#include "core/node.h"

namespace tusk::core {

void Cache::touch(Node& node, std::int64_t chunk, Piece& piece) {
  remove(piece);
  piece.cached = list_.insert(list_.end(), {&node, chunk});
  piece.cached_bytes = piece.data ? piece.data->capacity() : 0;
  bytes_ += piece.cached_bytes;
}

void Cache::remove(Piece& piece) {
  if (!piece.cached) return;
  list_.erase(*piece.cached);
  piece.cached.reset();
  bytes_ -= piece.cached_bytes;
}

void Cache::trim(const std::function<bool(GroupNo)>& committed) {
  // Pieces that cannot go yet are passed over, each once.
  for (std::size_t left = list_.size(); bytes_ > limit_ && left > 0; left--) {
    const CacheKey key = list_.front();
    Content& content = *key.node->file.content;
    Piece& piece = key.chunk == kWhole ? content.whole : content.chunks.at(key.chunk);
    if (piece.dirty || piece.charge || !committed(piece.group)) {
      list_.splice(list_.end(), list_, list_.begin());
      continue;
    }
    remove(piece);
    if (key.chunk == kWhole) {
      piece.data.reset();
    } else {
      content.chunks.erase(key.chunk);
    }
    if (holds_nothing(content)) key.node->file.content.reset();
  }
}

}  // namespace tusk::core
