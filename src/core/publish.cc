#include "core/publish.h"

#include <algorithm>

#include "core/core.h"
#include "core/policy.h"
#include "core/tier.h"

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

bool is_only_moved(const Content& content) { return content.moving && content.moving->pure; }

// Whether the content that is being replaced becomes a version of its own. What follows within the
// interval, or while the same writers have the file open, replaces the last one, unless that is a
// snapshot's.
bool starts_version(Core& core, Node& node) {
  const FileState& file = node.file;
  if (!node.stored || node.gone || (file.version == 0 && !file.left_empty)) return false;
  const store::Policy& policy = policy_of(core, node);
  if (policy.versions <= 0 || is_only_moved(*file.content)) return false;
  if (file.content_at <= core.last_snapshot) return true;
  return !file.continued &&
         std::chrono::nanoseconds(core.now().ns - file.content_at.ns) >= policy.version_interval;
}

void start_version(Core& core, Node& node) {
  FileState& file = node.file;
  file.content_at = core.now();
  file.kept = file.version;
  Delta& delta = delta_of(*file.content);
  if (!delta.previous_until) delta.previous_until = file.content_at;
}

// The first version whose rows may go: history may need older ones. Where it keeps nothing, what
// past versions still need is the store's to know.
Version first_droppable(Core& core, Node& node) {
  return policy_of(core, node).versions > 0 ? node.file.kept + 1 : 1;
}

void publish_inline(FileState& file, Version from, Version version, GroupNo group) {
  Content& content = *file.content;
  Delta& delta = delta_of(content);
  delta.puts.clear();
  delta.shares.clear();
  if (content.stored_end > 0 || content.staged) {
    delta.drops.push_back({{0, INT64_MAX}, from, version + 1});
    content.stored_end = 0;
  }
  delta.whole = PublishedPiece{content.whole.data, content.whole.charge};
  settle(content.whole, group);
}

// Rows that this version leaves behind: those it overwrites, and those that became holes or lie
// beyond the end, which go in this version too (they may have been staged).
void drop_superseded(FileState& file, Version from, Version version) {
  Content& content = *file.content;
  Delta& delta = delta_of(content);
  const bool was_chunked = content.published->form == store::Form::chunked;
  const std::int64_t old_end = was_chunked ? chunks_in(content.published->size) : 0;
  for (const auto& range : content.touched.within(0, old_end))
    delta.drops.push_back({range, from, version});
  const auto drop_void = [&](store::ChunkRange range) {
    delta.puts.erase(delta.puts.lower_bound(range.first), delta.puts.lower_bound(range.last));
    if (range.first >= content.stored_end) return;
    delta.drops.push_back({range, from, version + 1});
  };
  const std::int64_t end = chunks_in(file.size);
  for (const auto& touched : content.touched.ranges()) {
    for (const auto& hole : content.holes.within(touched.first, touched.last)) drop_void(hole);
    if (touched.last > end) drop_void({std::max(touched.first, end), touched.last});
  }
}

// Rows that the content had before it went out, or that were staged.
void drop_all(FileState& file, Version from, Version version) {
  Content& content = *file.content;
  if (std::exchange(content.stored_end, 0) > 0 || content.staged)
    delta_of(content).drops.push_back({{0, INT64_MAX}, from, version + 1});
}

// What lies in a hole or beyond the end by now.
void forget_void_puts(FileState& file) {
  Content& content = *file.content;
  auto& puts = delta_of(content).puts;
  puts.erase(puts.lower_bound(chunks_in(file.size)), puts.end());
  for (const auto& hole : content.holes.ranges())
    puts.erase(puts.lower_bound(hole.first), puts.lower_bound(hole.last));
}

void publish_chunks(Core& core, Node& node, Version from, GroupNo group) {
  FileState& file = node.file;
  Content& content = *file.content;
  if (content.adopted) {
    drop_all(file, from, file.version);
    publish_adopted(node, *std::exchange(content.adopted, std::nullopt));
  } else if (goes_out(core, node)) {
    drop_all(file, from, file.version);
    forget_void_puts(file);
    publish_out(core, node, group);
  } else {
    drop_superseded(file, from, file.version);
    publish_in(node, group);
  }
  Delta& delta = delta_of(content);
  delta.whole.reset();
  for (auto& [number, piece] : content.chunks) {
    if (!piece.dirty) continue;
    delta.puts[number] = {piece.data, piece.charge};
    settle(piece, group);
  }
}

store::ObjectWrite& add_object_write(Core& core, Node& node, GroupNo number, Cut& cut) {
  ContentLayer& layer = coming_object(core, node);
  if (layer.opened == GroupNo{}) layer.opened = number;
  return cut.group->object_writes.emplace_back(
      store::ObjectWrite{*layer.object, node.file_id(), layer.base, {}, {}, {}});
}

// The layer that the group publishes: an object gets the last of its chunks; rows get those that
// are nowhere else.
void cut_tier(Core& core, Node& node, GroupNo number, Delta& delta, Cut& cut) {
  Content& content = *node.file.content;
  if (content.layers.empty() || content.layers.back().finished != number) return;
  const std::uint64_t size = content.published ? content.published->size : node.file.size;
  const IntervalSet holes =
      content.published ? IntervalSet(content.published->holes) : content.holes;
  if (content.layers.back().object) {
    store::ObjectWrite& out = add_object_write(core, node, number, cut);
    content.layers.back().ended = true;
    for (auto& [chunk, put] : std::exchange(delta.puts, {})) {
      out.puts.push_back({chunk, std::move(put.data)});
      cut.charges.push_back(std::move(put.charge));
    }
    out.finish = store::ObjectWrite::Finish{size, holes.ranges()};
    return;
  }
  const store::ChunkSource& base = content.layers.back().base;
  IntervalSet missing;
  missing.add(0, std::min(chunks_in(size), chunks_in(base.size)));
  for (const auto& hole : holes.ranges()) missing.remove(hole.first, hole.last);
  for (const auto& hole : base.holes) missing.remove(hole.first, hole.last);
  for (const auto& [chunk, put] : delta.puts) missing.remove(chunk, chunk + 1);
  content.layers.back().ended = true;
  cut.group->object_fetches.push_back(
      {node.file_id(), node.file.version, *base.object, missing.ranges()});
  content.stored_end = chunks_in(size);
}

}  // namespace

void publish(Core& core, Node& node) {
  FileState& file = node.file;
  if (!file.content || !file.content->unpublished()) return;
  Content& content = *file.content;
  if (starts_version(core, node)) start_version(core, node);
  file.continued = node.writers > 0;
  Delta& delta = delta_of(content);
  if (!delta.base) delta.base = file.version;
  const Version from = first_droppable(core, node), version = ++file.version;
  const GroupNo group = core.txg.open_number();
  if (!is_only_moved(content)) file.checksum.reset();
  if (file.form == store::Form::inline_data) {
    abandon_coming(node);
    file.object.reset();
    publish_inline(file, from, version, group);
  } else {
    publish_chunks(core, node, from, group);
    if (content.hash && content.hash->length() == file.size) file.checksum = content.hash->digest();
  }
  if (std::exchange(content.staged, false)) delta_of(content).published_stages.push_back(version);
  content.sealed_bytes = 0;
  content.touched.clear();
  content.published.reset();
  content.rewritten = false;
  content.moving.reset();
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
  store::ObjectWrite* out = nullptr;
  bool staged = false;
  for (auto& [chunk, piece] : content.chunks) {
    if (!piece.dirty || !piece.sealed) continue;
    // Rows are not staged above an object: the next publication tells where the content belongs.
    const bool above_object = node.file.object && !content.moving;
    if (!staged && (above_object || goes_out(core, node)))
      out = &add_object_write(core, node, number, cut);
    staged = true;
    if (out) {
      out->puts.push_back({chunk, piece.data});
    } else {
      cut.group->chunk_puts.push_back({node.file_id(), chunk, version, piece.data});
      content.stored_end = std::max(content.stored_end, chunk + 1);
    }
    cut.charges.push_back(std::move(piece.charge));
    piece.charge.reset();
    settle(piece, number);
    core.cache.touch(node, chunk, piece);
  }
  content.sealed_bytes = 0;
  // What was to be staged may have been published since the node was marked.
  if (staged && !out && !std::exchange(content.staged, true)) {
    cut.group->stagings.push_back({node.file_id(), version, true});
  }
}

void cut_delta(Core& core, Node& node, GroupNo number, Cut& cut) {
  Content& content = *node.file.content;
  const auto delta = std::exchange(content.delta, nullptr);
  const Version version = node.file.version;
  for (const Delta::Drop& drop : delta->drops) {
    cut.group->chunk_drops.push_back({node.file_id(), drop.range, drop.from, drop.below});
  }
  for (store::ChunkShare share : delta->shares) {
    share.target_version = version;
    cut.group->chunk_shares.push_back(share);
  }
  for (const Uuid& object : delta->abandoned) cut.group->objects_abandoned.push_back(object);
  cut_tier(core, node, number, *delta, cut);
  for (auto& [chunk, put] : delta->puts) {
    // None is left when they went to an object.
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
