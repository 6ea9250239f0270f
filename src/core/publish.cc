#include "core/publish.h"

#include <algorithm>

#include "core/core.h"

namespace tusk::core {
namespace {

Delta& delta_of(Content& content) {
  if (!content.delta) content.delta = std::make_unique<Delta>();
  return *content.delta;
}

void settle(Piece& piece, GroupNo group) {
  piece.dirty = false;
  piece.sealed = false;
  piece.group = group;
}

void publish_inline(Content& content, Version version, GroupNo group) {
  Delta& delta = delta_of(content);
  delta.puts.clear();
  if (content.stored_end > 0 || content.staged) {
    delta.drops.push_back({{0, INT64_MAX}, version + 1});
    content.stored_end = 0;
  }
  delta.whole = PublishedPiece{content.whole.data, content.whole.charge};
  settle(content.whole, group);
}

// Rows that this version leaves behind: those it overwrites, and those that became holes or lie
// beyond the end, which go in this version too (they may have been staged).
void drop_superseded(Content& content, std::uint64_t size, Version version) {
  Delta& delta = delta_of(content);
  const bool was_chunked = content.published->form == store::Form::chunked;
  const std::int64_t old_end = was_chunked ? chunks_in(content.published->size) : 0;
  for (const auto& range : content.touched.within(0, old_end))
    delta.drops.push_back({range, version});
  const auto drop_void = [&](store::ChunkRange range) {
    delta.puts.erase(delta.puts.lower_bound(range.first), delta.puts.lower_bound(range.last));
    if (range.first >= content.stored_end) return;
    delta.drops.push_back({range, version + 1});
  };
  const std::int64_t end = chunks_in(size);
  for (const auto& touched : content.touched.ranges()) {
    for (const auto& hole : content.holes.within(touched.first, touched.last)) drop_void(hole);
    if (touched.last > end) drop_void({std::max(touched.first, end), touched.last});
  }
}

void publish_chunks(FileState& file, Version version, GroupNo group) {
  Content& content = *file.content;
  drop_superseded(content, file.size, version);
  Delta& delta = delta_of(content);
  delta.whole.reset();
  for (auto& [number, piece] : content.chunks) {
    if (!piece.dirty) continue;
    delta.puts[number] = {piece.data, piece.charge};
    settle(piece, group);
  }
}

}  // namespace

void publish(Core& core, Node& node) {
  FileState& file = node.file;
  if (!file.content || !file.content->unpublished()) return;
  Content& content = *file.content;
  const Version version = ++file.version;
  const GroupNo group = core.txg.open_number();
  file.checksum.reset();
  if (file.form == store::Form::inline_data) {
    publish_inline(content, version, group);
  } else {
    publish_chunks(file, version, group);
    if (content.hash && content.hash->length() == file.size) file.checksum = content.hash->digest();
  }
  if (std::exchange(content.staged, false)) delta_of(content).published_stages.push_back(version);
  content.sealed_bytes = 0;
  content.touched.clear();
  content.published.reset();
  content.rewritten = false;
  // A file that nobody has open is not appended to in the same run.
  if (node.opens == 0) content.hash.reset();
  core.txg.mark(node, kDirtyContent);
}

bool stage_everything(Core& core, Node& node) {
  Content& content = *node.file.content;
  if (node.file.form == store::Form::inline_data) return false;
  for (auto& [number, piece] : content.chunks) piece.sealed |= piece.dirty;
  core.txg.mark(node, kDirtyStage);
  return true;
}

void cut_staged(Core& core, Node& node, GroupNo number, Cut& cut) {
  Content& content = *node.file.content;
  const Version version = node.file.version + 1;
  bool staged = false;
  for (auto& [chunk, piece] : content.chunks) {
    if (!piece.dirty || !piece.sealed) continue;
    staged = true;
    cut.group->chunk_puts.push_back({node.file_id(), chunk, version, piece.data});
    cut.charges.push_back(std::move(piece.charge));
    piece.charge.reset();
    settle(piece, number);
    core.cache.touch(node, chunk, piece);
    content.stored_end = std::max(content.stored_end, chunk + 1);
  }
  content.sealed_bytes = 0;
  // What was to be staged may have been published since the node was marked.
  if (staged && !std::exchange(content.staged, true)) {
    cut.group->stagings.push_back({node.file_id(), version, true});
  }
}

void cut_delta(Core& core, Node& node, GroupNo number, Cut& cut) {
  Content& content = *node.file.content;
  const auto delta = std::exchange(content.delta, nullptr);
  const Version version = node.file.version;
  for (const auto& [range, below] : delta->drops) {
    cut.group->chunk_drops.push_back({node.file_id(), range, below});
  }
  for (store::ChunkShare share : delta->shares) {
    share.target_version = version;
    cut.group->chunk_shares.push_back(share);
  }
  for (auto& [chunk, put] : delta->puts) {
    cut.group->chunk_puts.push_back({node.file_id(), chunk, version, std::move(put.data)});
    cut.charges.push_back(std::move(put.charge));
    content.stored_end = std::max(content.stored_end, chunk + 1);
  }
  if (delta->whole) cut.charges.push_back(std::move(delta->whole->charge));
  for (const Version staged : delta->published_stages) {
    cut.group->stagings.push_back({node.file_id(), staged, false});
  }
  const auto clean = [&](std::int64_t key, Piece& piece) {
    if (piece.dirty || piece.cached) return;
    piece.charge.reset();
    piece.group = number;
    core.cache.touch(node, key, piece);
  };
  if (content.whole.data) clean(kWhole, content.whole);
  for (auto& [chunk, piece] : content.chunks) clean(chunk, piece);
}

}  // namespace tusk::core
