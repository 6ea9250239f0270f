#include "core/content_ops.h"

#include <algorithm>
#include <atomic>
#include <cstring>

#include "core/core.h"
#include "core/loads.h"
#include "core/policy.h"
#include "core/quota.h"
#include "core/tier.h"

namespace tusk::core {
namespace {

using store::Form;
using store::kChunkBytes;

// The piece's buffer, its owner's alone, so that it may be changed: what is published or being
// committed shares the old one.
Buffer& writable(Core& core, Piece& piece, std::size_t reserve = 0) {
  if (!piece.data) {
    piece.data = std::make_shared<Buffer>();
    piece.charge.reset();
  } else if (piece.data.use_count() > 1) {
    auto copy = std::make_shared<Buffer>();
    copy->reserve(std::max(reserve, piece.data->size()));
    copy->assign(piece.data->begin(), piece.data->end());
    piece.data = std::move(copy);
    piece.charge.reset();
  } else {
    // Pairs with the release of the last other owner, which may have been another thread.
    std::atomic_thread_fence(std::memory_order_acquire);
  }
  core.cache.remove(piece);
  piece.dirty = true;
  return *piece.data;
}

void charge(Core& core, Piece& piece) {
  if (piece.charge) {
    piece.charge->resize(piece.data->size());
  } else {
    piece.charge = std::make_shared<DirtyCharge>(core.dirty_bytes, piece.data->size());
  }
}

void grow(Buffer& buffer, std::size_t size) {
  const std::size_t old = buffer.size();
  if (size <= old) return;
  if (size > buffer.capacity()) buffer.reserve(std::max(size, old + old / 2));
  buffer.resize(size);
  std::memset(buffer.data() + old, 0, size - old);
}

void overwrite(Core& core, Piece& piece, std::size_t at, ByteSpan data) {
  Buffer& buffer = writable(core, piece, at + data.size());
  if (at == buffer.size()) {
    buffer.insert(buffer.end(), data.begin(), data.end());
  } else {
    grow(buffer, at + data.size());
    std::memcpy(buffer.data() + at, data.data(), data.size());
  }
  charge(core, piece);
}

void touch(Content& content, std::int64_t first, std::int64_t last) {
  content.touched.add(first, last);
  for (ChunkLoad& load : content.loading) load.overwritten.add(first, last);
}

void continue_hash(Content& content, std::uint64_t offset, ByteSpan data) {
  if (!content.hash) return;
  if (offset == content.hash->length()) {
    content.hash->update(data);
  } else {
    content.hash.reset();
  }
}

void seal(Content& content, Piece& piece) {
  if (std::exchange(piece.sealed, true)) return;
  content.sealed_bytes += piece.data->size();
}

void write_chunks(Core& core, Node& node, std::uint64_t offset, ByteSpan data) {
  Content& content = *node.file.content;
  const std::uint64_t end = offset + data.size();
  const bool appends = offset <= node.file.size && end > node.file.size;
  continue_hash(content, offset, data);
  if (offset > node.file.size) {
    content.holes.add(chunks_in(node.file.size), chunk_of(offset));
  }
  for (std::uint64_t at = offset; at < end;) {
    const std::int64_t chunk = chunk_of(at);
    const std::uint64_t start = static_cast<std::uint64_t>(chunk) * kChunkBytes;
    const std::uint64_t stop = std::min(start + kChunkBytes, end);
    Piece& piece = content.chunks[chunk];
    overwrite(core, piece, at - start, data.subspan(at - offset, stop - at));
    if (appends && stop == start + kChunkBytes) seal(content, piece);
    at = stop;
  }
  touch(content, chunk_of(offset), chunks_in(end));
  content.holes.remove(chunk_of(offset), chunks_in(end));
  // Where the content will be is known once it is large enough for an object.
  const auto limit = external_above(core, node);
  const bool undecided = limit && !goes_out(core, node) && *limit <= core.options.dirty_limit / 4;
  if (content.sealed_bytes >= core.options.stage_limit && !undecided)
    core.txg.mark(node, kDirtyStage);
}

void drop_pieces(Core& core, Content& content, std::int64_t from, std::int64_t to) {
  const auto first = content.chunks.lower_bound(from);
  const auto last = content.chunks.lower_bound(to);
  for (auto it = first; it != last; ++it) {
    core.cache.remove(it->second);
    if (it->second.sealed) content.sealed_bytes -= std::min(content.sealed_bytes, kChunkBytes);
  }
  content.chunks.erase(first, last);
}

// A chunk in memory ends earlier; one that is shorter already stays as it is stored.
void shrink_chunk(Core& core, Content& content, std::int64_t chunk, std::size_t size) {
  const auto it = content.chunks.find(chunk);
  if (it == content.chunks.end() || it->second.data->size() <= size) return;
  writable(core, it->second).resize(size);
  charge(core, it->second);
  touch(content, chunk, chunk + 1);
}

void reset_to_empty(Core& core, Node& node) {
  Content& content = begin_change(core, node);
  const std::int64_t end = std::max(chunks_in(node.file.size), content.stored_end);
  if (node.file.form == Form::chunked) touch(content, 0, end);
  drop_pieces(core, content, 0, INT64_MAX);
  content.holes.clear();
  core.cache.remove(content.whole);
  content.whole = Piece{};
  content.whole.data = std::make_shared<Buffer>();
  content.whole.dirty = true;
  content.rewritten = true;
  content.hash.reset();
  content.sealed_bytes = 0;
  node.file.form = Form::inline_data;
  set_size(core, node, 0);
}

// Zeroes a part of one chunk that is in memory or a hole.
void zero_part(Core& core, Content& content, std::int64_t chunk, std::size_t from, std::size_t to) {
  const auto it = content.chunks.find(chunk);
  if (it == content.chunks.end()) return;
  Piece& piece = it->second;
  if (from >= piece.data->size()) return;
  Buffer& buffer = writable(core, piece);
  std::memset(buffer.data() + from, 0, std::min(to, buffer.size()) - from);
  charge(core, piece);
  touch(content, chunk, chunk + 1);
}

const std::array<std::uint8_t, kChunkBytes>& zeros() {
  static const std::array<std::uint8_t, kChunkBytes> kZeros{};
  return kZeros;
}

}  // namespace

Content& content_of(Node& node) {
  if (!node.file.content) {
    node.file.content = std::make_unique<Content>();
    if (node.file.form == Form::chunked && !node.file.object)
      node.file.content->stored_end = chunks_in(node.file.size);
  }
  return *node.file.content;
}

Content& begin_change(Core& core, Node& node) {
  Content& content = content_of(node);
  if (content.moving) content.moving->pure = false;
  if (content.published) return content;
  content.published =
      Published{node.file.size, node.file.form, content.holes.ranges(), node.meta.mtime};
  content.unpublished_since = core.executor.now();
  core.txg.note_unpublished(node);
  return content;
}

void to_chunks(Core& core, Node& node) {
  Content& content = begin_change(core, node);
  core.cache.remove(content.whole);
  SharedBytes whole = std::exchange(content.whole, Piece{}).data;
  if (!whole) whole = std::make_shared<Buffer>();
  node.file.form = Form::chunked;
  content.hash = std::make_unique<RunningHash>();
  content.hash->update(*whole);
  for (std::size_t at = 0; at < whole->size(); at += kChunkBytes) {
    const std::size_t stop = std::min(whole->size(), at + kChunkBytes);
    Piece& piece = content.chunks[chunk_of(at)];
    overwrite(core, piece, 0, ByteSpan(*whole).subspan(at, stop - at));
    if (stop - at == kChunkBytes) seal(content, piece);
  }
  touch(content, 0, chunks_in(whole->size()));
}

Attempt<void> write_content(Core& core, Node& node, std::uint64_t offset, ByteSpan data) {
  FileState& file = node.file;
  const std::uint64_t end = offset + data.size();
  ATTEMPT(check_size(core, node, end));
  if (file.form == Form::inline_data) {
    if (file.size > 0) ATTEMPT(load_whole(core, node));
    Content& content = begin_change(core, node);
    const bool in_place = !content.rewritten && file.size > core.options.edit_in_place_limit;
    if (end <= inline_limit(core, node) && !in_place) {
      overwrite(core, content.whole, offset, data);
      set_size(core, node, std::max(file.size, end));
      return {};
    }
    to_chunks(core, node);
  }
  // Only the first and the last chunk may be written in part.
  if (offset % kChunkBytes != 0) ATTEMPT(load_chunk(core, node, chunk_of(offset)));
  if (end % kChunkBytes != 0 && end < file.size) ATTEMPT(load_chunk(core, node, chunk_of(end)));
  begin_change(core, node);
  write_chunks(core, node, offset, data);
  set_size(core, node, std::max(file.size, end));
  return {};
}

Attempt<void> truncate_content(Core& core, Node& node, std::uint64_t size) {
  FileState& file = node.file;
  if (size == file.size) return {};
  ATTEMPT(check_size(core, node, size));
  if (size == 0) {
    reset_to_empty(core, node);
    return {};
  }
  if (file.form == Form::inline_data) {
    if (file.size > 0) ATTEMPT(load_whole(core, node));
    Content& content = begin_change(core, node);
    if (size <= inline_limit(core, node)) {
      Buffer& buffer = writable(core, content.whole);
      grow(buffer, size);
      buffer.resize(size);
      charge(core, content.whole);
      set_size(core, node, size);
      return {};
    }
    to_chunks(core, node);
  }
  if (size < file.size && size % kChunkBytes != 0) ATTEMPT(load_chunk(core, node, chunk_of(size)));
  Content& content = begin_change(core, node);
  content.hash.reset();
  const std::int64_t end = chunks_in(size);
  if (size < file.size) {
    drop_pieces(core, content, end, INT64_MAX);
    content.holes.remove(end, INT64_MAX);
    touch(content, end, std::max(chunks_in(file.size), content.stored_end));
    if (size % kChunkBytes != 0) shrink_chunk(core, content, end - 1, size % kChunkBytes);
  } else {
    content.holes.add(chunks_in(file.size), end);
  }
  set_size(core, node, size);
  return {};
}

Attempt<void> zero_content(Core& core, Node& node, std::uint64_t offset, std::uint64_t size) {
  FileState& file = node.file;
  const std::uint64_t end = offset + size;
  if (file.form == Form::inline_data) {
    ATTEMPT(load_whole(core, node));
    Content& content = begin_change(core, node);
    Buffer& buffer = writable(core, content.whole);
    std::memset(buffer.data() + offset, 0, size);
    charge(core, content.whole);
    return {};
  }
  const std::int64_t first_whole = chunks_in(offset);
  // A last chunk that ends with the file is whole as well.
  const std::int64_t last_whole = end == file.size ? chunks_in(end) : chunk_of(end);
  if (offset % kChunkBytes != 0) ATTEMPT(load_chunk(core, node, chunk_of(offset)));
  if (last_whole * static_cast<std::int64_t>(kChunkBytes) < static_cast<std::int64_t>(end)) {
    ATTEMPT(load_chunk(core, node, chunk_of(end)));
  }
  Content& content = begin_change(core, node);
  content.hash.reset();
  if (offset % kChunkBytes != 0) {
    const std::uint64_t start = offset - offset % kChunkBytes;
    zero_part(core, content, chunk_of(offset), offset - start, std::min(end - start, kChunkBytes));
  }
  if (first_whole <= last_whole && static_cast<std::uint64_t>(last_whole) * kChunkBytes < end) {
    zero_part(core, content, chunk_of(end), 0, end % kChunkBytes);
  }
  if (first_whole < last_whole) void_chunks(core, node, {first_whole, last_whole});
  return {};
}

Attempt<vfs::Content> read_content(Core& core, Node& node, std::uint64_t offset,
                                   std::uint64_t size) {
  vfs::Content out;
  out.size = size;
  if (size == 0) return out;
  if (node.file.form == Form::inline_data) {
    ATTEMPT(load_whole(core, node));
    out.pieces.push_back(ByteSpan(*node.file.content->whole.data).subspan(offset, size));
    return out;
  }
  ATTEMPT(load_chunks(core, node, chunk_of(offset), chunks_in(offset + size)));
  Content& content = *node.file.content;
  for (std::uint64_t at = offset; at < offset + size;) {
    const std::int64_t chunk = chunk_of(at);
    const std::uint64_t start = static_cast<std::uint64_t>(chunk) * kChunkBytes;
    const std::uint64_t stop = std::min(start + kChunkBytes, offset + size);
    std::uint64_t have = at;
    if (const auto it = content.chunks.find(chunk); it != content.chunks.end()) {
      have = std::clamp(start + it->second.data->size(), at, stop);
      if (have > at)
        out.pieces.push_back(ByteSpan(*it->second.data).subspan(at - start, have - at));
      if (!it->second.charge) core.cache.touch(node, chunk, it->second);
    }
    if (have < stop) out.pieces.push_back(ByteSpan(zeros()).first(stop - have));
    at = stop;
  }
  return out;
}

void void_chunks(Core& core, Node& node, store::ChunkRange range) {
  Content& content = begin_change(core, node);
  drop_pieces(core, content, range.first, range.last);
  content.holes.add(range.first, range.last);
  touch(content, range.first, range.last);
  content.hash.reset();
}

void rewrite_chunks(Core& core, Node& node, store::ChunkRange range) {
  Content& content = *node.file.content;
  for (auto it = content.chunks.lower_bound(range.first);
       it != content.chunks.end() && it->first < range.last; ++it) {
    core.cache.remove(it->second);
    it->second.dirty = true;
    charge(core, it->second);
    seal(content, it->second);
  }
  touch(content, range.first, range.last);
  if (content.sealed_bytes >= core.options.stage_limit) core.txg.mark(node, kDirtyStage);
}

void share_chunk(Core& core, Node& source, std::int64_t from, Node& target, std::int64_t to) {
  Content& content = begin_change(core, target);
  drop_pieces(core, content, to, to + 1);
  content.holes.remove(to, to + 1);
  touch(content, to, to + 1);
  content.hash.reset();
  content.shared.add(to, to + 1);
  content.shared_group = core.txg.open_number();
  content.stored_end = std::max(content.stored_end, to + 1);
  if (!content.delta) content.delta = std::make_unique<Delta>();
  content.delta->puts.erase(to);
  auto& shares = content.delta->shares;
  if (!shares.empty()) {
    store::ChunkShare& last = shares.back();
    const bool joins =
        last.source == source.file_id() && last.source_version == source.file.version &&
        last.source_first + last.count == from && last.target_first + last.count == to;
    if (joins) {
      last.count++;
      return;
    }
  }
  shares.push_back({.target = target.file_id(),
                    .target_first = to,
                    .source = source.file_id(),
                    .source_first = from,
                    .source_version = source.file.version,
                    .count = 1});
}

void adopt_object(Core& core, Node& source, Node& target) {
  reset_to_empty(core, target);
  Content& content = *target.file.content;
  content.whole = Piece{};
  content.holes = content_of(source).holes;
  content.adopted = source.file.object;
  target.file.form = Form::chunked;
  set_size(core, target, source.file.size);
}

void forget_content(Core& core, Node& node) {
  if (!node.file.content) return;
  core.cache.remove(node.file.content->whole);
  for (auto& [chunk, piece] : node.file.content->chunks) core.cache.remove(piece);
  node.file.content.reset();
}

}  // namespace tusk::core
