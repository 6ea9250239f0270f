#include <algorithm>

#include "core/asking.h"
#include "core/content_ops.h"
#include "core/core.h"
#include "core/loads.h"
#include "core/tier.h"
#include "tuskfs/base/log.h"

namespace tusk::core {
namespace {

constexpr std::uint64_t kPrefetchBytes = 1 << 20;
constexpr std::uint64_t kPrefetchFile = 64 << 10;
constexpr std::size_t kPrefetchMost = 256;
// A query of this many chunks is 1 MiB; several at a time keep all loading connections busy.
constexpr std::int64_t kChunksPerQuery = 16;
// For what others have changed to become known.
constexpr auto kAskAgain = std::chrono::milliseconds(20);

// What is missing or does not fit may be what others are changing, or have changed since the
// question: who waits looks again, at what is in memory by then.
bool may_be_old(const Core& core, std::uint64_t asked) {
  return core.delegation.is_away() || asked != core.delegation.epoch();
}

bool whole_missing(const Node& node) {
  const FileState& file = node.file;
  if (file.form != store::Form::inline_data || file.size == 0) return false;
  return !file.content || !file.content->whole.data;
}

void on_whole(Core& core, Node& node, const store::InlineContent& loaded, std::uint64_t asked) {
  node.loads->whole_loading = false;
  int code = 0;
  if (whole_missing(node) && node.loads->whole_version == node.file.version &&
      asked == core.delegation.epoch()) {
    const bool sound = loaded.data && !loaded.damaged && loaded.data->size() == node.file.size;
    if (may_be_old(core, asked) && (!sound || loaded.version != node.file.version)) {
      const Uuid id = node.id;
      node.loads->whole_loading = true;  // so that it stays until then
      core.executor.after(kAskAgain, [&core, id] {
        Node& waited = *core.table.find(id);
        waited.loads->whole_loading = false;
        core.lot.wake(waited.loads->whole);
      });
      return;
    }
    if (sound) {
      Content& content = content_of(node);
      content.whole.data = std::const_pointer_cast<Buffer>(loaded.data);
      core.cache.touch(node, kWhole, content.whole);
    } else {
      log::error("file {} ({}): its content is missing or damaged", node.id.text(),
                 node.first.name);
      code = EIO;
    }
  }
  core.lot.wake(node.loads->whole, code);
}

void fail_whole(Core& core, const std::vector<FileId>& ids, int code) {
  for (const FileId id : ids) {
    Node& node = *core.table.find(id.uuid);
    node.loads->whole_loading = false;
    core.lot.wake(node.loads->whole, code);
  }
}

void ask_whole(Core& core, std::vector<FileId> ids) {
  auto asked = ids;
  const std::uint64_t epoch = core.delegation.epoch();
  core.store.load_inline(
      std::move(ids), [&core, epoch, asked = std::move(asked)](auto result) mutable {
        if (asked_again(core, result, [&core, asked] { ask_whole(core, asked); })) return;
        if (!result) {
          log::error("content of file {} cannot be loaded: {}", asked.front().uuid.text(),
                     result.error().what);
          return fail_whole(core, asked, result.error().code);
        }
        for (const auto& loaded : *result) {
          std::erase(asked, loaded.file);
          if (Node* node = core.table.find(loaded.file.uuid)) on_whole(core, *node, loaded, epoch);
        }
        for (const FileId id : asked)
          on_whole(core, *core.table.find(id.uuid), {id, 0, nullptr}, epoch);
        core.trim_soon();
      });
}

// Files that follow `node` in its folder, more of them each time the guess was right.
void add_prefetch(Core& core, Node& node, std::vector<FileId>& ids) {
  Node* folder = core.table.find(node.first.folder.uuid);
  if (!folder || !folder->dir) return;
  Dir& dir = *folder->dir;
  const std::size_t position = dir.position(node.first.name);
  const bool follows = position >= dir.prefetch_position && position < dir.prefetch_position + 8;
  dir.prefetch_count = follows ? std::min(dir.prefetch_count * 8, kPrefetchMost) : 1;
  std::uint64_t bytes = node.file.size;
  std::size_t at = position + 1;
  for (; at < dir.slots().size() && ids.size() < dir.prefetch_count && bytes < kPrefetchBytes;
       at++) {
    Node* next = dir.slots()[at].node;
    if (!next || !next->is_regular() || next->file.size > kPrefetchFile || !whole_missing(*next) ||
        !core.txg.is_committed(next->cloned_in))
      continue;
    if (std::exchange(next->load_state().whole_loading, true)) continue;
    next->loads->whole_version = next->file.version;
    ids.push_back(next->file_id());
    bytes += next->file.size;
  }
  dir.prefetch_position = at;
}

bool chunk_missing(const Content& content, std::int64_t chunk) {
  return !content.chunks.contains(chunk) && !content.holes.contains(chunk);
}

// Rows that share another file's chunks are there once their group has committed; rows that go to
// an object are gone then.
bool rows_in_doubt(const Core& core, Content& content) {
  if (rows_are_leaving(core, content)) return true;
  if (content.shared.empty()) return false;
  if (!core.txg.is_committed(content.shared_group)) return true;
  content.shared.clear();
  return false;
}

ChunkLoad* loading(Content& content, std::int64_t chunk) {
  for (ChunkLoad& load : content.loading) {
    if (chunk >= load.range.first && chunk < load.range.last) return &load;
  }
  return nullptr;
}

// What was written since the question is newer than the answer: those chunks are asked for again.
// EAGAIN: all of it is to be asked for again.
int take_chunks(Core& core, Node& node, const ChunkLoad& load, std::vector<store::Chunk> chunks) {
  Content& content = *node.file.content;
  if (load.version != node.file.version ||
      load.object != chunk_query(core, node, load.range).object)
    return 0;
  const store::ChunkRange range = load.range;
  for (store::Chunk& chunk : chunks) {
    if (!chunk_missing(content, chunk.number) || load.overwritten.contains(chunk.number)) continue;
    if (chunk.number >= chunks_in(node.file.size)) continue;
    Piece& piece = content.chunks[chunk.number];
    piece.data = std::const_pointer_cast<Buffer>(chunk.data);
    core.cache.touch(node, chunk.number, piece);
  }
  const std::int64_t end = std::min(range.last, chunks_in(node.file.size));
  for (std::int64_t chunk = range.first; chunk < end; chunk++) {
    if (!chunk_missing(content, chunk) || load.overwritten.contains(chunk)) continue;
    if (rows_in_doubt(core, content)) return 0;
    if (core.delegation.is_away()) return EAGAIN;
    log::error("file {} ({}): chunk {} is missing", node.id.text(), node.first.name, chunk);
    return EIO;
  }
  return 0;
}

void ask_chunks(Core& core, Node& node, store::ChunkRange range) {
  const Uuid id = node.id;
  const std::uint64_t epoch = core.delegation.epoch();
  core.store.load_chunks(chunk_query(core, node, range), [&core, id, range, epoch](auto result) {
    // A node with a load under way is not dropped.
    Node& loaded = *core.table.find(id);
    Content& content = *loaded.file.content;
    const auto again = [&core, id, range] { ask_chunks(core, *core.table.find(id), range); };
    if (asked_again(core, result, again)) return;
    const auto it = std::ranges::find(content.loading, range, &ChunkLoad::range);
    int code = 0;
    if (result && epoch == core.delegation.epoch()) {
      code = take_chunks(core, loaded, *it, std::move(*result));
      if (code == EAGAIN) return core.executor.after(kAskAgain, again);
    } else if (!result) {
      code = result.error().code;
      log::error("chunks of file {} ({}) cannot be loaded: {}", id.text(), loaded.first.name,
                 result.error().what);
    }
    core.lot.wake(it->waiters, code);
    content.loading.erase(it);
    core.trim_soon();
  });
}

}  // namespace

Attempt<void> load_whole(Core& core, Node& node) {
  if (!whole_missing(node)) {
    content_of(node);
    return {};
  }
  if (!core.txg.is_committed(node.cloned_in)) return wait_on(core.txg.want_commit());
  NodeLoads& loads = node.load_state();
  if (!std::exchange(loads.whole_loading, true)) {
    loads.whole_version = node.file.version;
    std::vector<FileId> ids{node.file_id()};
    add_prefetch(core, node, ids);
    ask_whole(core, std::move(ids));
  }
  return wait_on(loads.whole);
}

void read_ahead(Core& core, Node& node, std::int64_t first, std::int64_t last) {
  Content& content = content_of(node);
  if (rows_in_doubt(core, content)) return;
  last = std::min(last, chunks_in(node.file.size));
  while (first < last) {
    if (!chunk_missing(content, first) || loading(content, first)) {
      first++;
      continue;
    }
    std::int64_t end = first + 1;
    while (end < last && end - first < kChunksPerQuery && chunk_missing(content, end) &&
           !loading(content, end) && is_staged_row(node, end) == is_staged_row(node, first)) {
      end++;
    }
    content.loading.push_back(
        {{first, end}, node.file.version, chunk_query(core, node, {first, end}).object, {}, {}});
    ask_chunks(core, node, {first, end});
    first = end;
  }
}

Attempt<void> load_chunks(Core& core, Node& node, std::int64_t first, std::int64_t last) {
  Content& content = content_of(node);
  if (rows_in_doubt(core, content)) return wait_on(core.txg.want_commit());
  last = std::min(last, chunks_in(node.file.size));
  for (std::int64_t chunk = first; chunk < last; chunk++) {
    if (!chunk_missing(content, chunk)) continue;
    read_ahead(core, node, chunk, last);
    return wait_on(loading(content, chunk)->waiters);
  }
  return {};
}

Attempt<void> load_chunk(Core& core, Node& node, std::int64_t chunk) {
  return load_chunks(core, node, chunk, chunk + 1);
}

}  // namespace tusk::core
