// read, write, and what else works on ranges of a file: fallocate, copy_file_range, lseek.
#include <fcntl.h>
#include <linux/falloc.h>
#include <unistd.h>

#include <algorithm>

#include "core/content_ops.h"
#include "core/loads.h"
#include "core/policy.h"
#include "core/publish.h"
#include "core/quota.h"
#include "core/tier.h"
#include "core/tree.h"
#include "core/verbs.h"

namespace tusk::core {
namespace {

using store::kChunkBytes;

constexpr std::int64_t kReadAheadChunks = 64;  // 4 MiB

// As relatime: an atime is worth a row only when it says something new.
void note_read(Core& core, Node& node) {
  if (core.options.atime == AtimeMode::noatime || core.options.read_only) return;
  constexpr std::int64_t kDayNs = 86'400'000'000'000;
  const WallTime now = core.now();
  store::Meta& meta = node.meta;
  if (meta.atime > meta.mtime && meta.atime > meta.ctime && now.ns - meta.atime.ns < kDayNs) return;
  meta.atime = now;
  core.txg.mark(node, kDirtyLazy);
}

void note_position(Core& core, Node& node, std::uint64_t offset, std::uint64_t size) {
  if (node.file.form == store::Form::inline_data) return;
  Content& content = content_of(node);
  const std::int64_t first = chunk_of(offset), next = chunks_in(offset + size);
  const bool sequential = first <= content.next_read_chunk && first + 1 >= content.next_read_chunk;
  content.next_read_chunk = next;
  if (!sequential) {
    content.readahead_end = 0;
    return;
  }
  if (content.readahead_end - next > kReadAheadChunks / 2) return;
  const std::int64_t from = std::max(next, content.readahead_end);
  content.readahead_end = next + kReadAheadChunks;
  read_ahead(core, node, from, content.readahead_end);
}

Attempt<void> extend(Core& core, Node& node, std::uint64_t size) {
  if (size <= node.file.size) return {};
  return truncate_content(core, node, size);
}

// Copies as bytes: one piece at a time, so that source and target need not fit in memory together.
Attempt<std::size_t> copy_bytes(Core& core, Node& source, Node& target, const vfs::CopyRange& range,
                                std::uint64_t size) {
  size = std::min<std::uint64_t>(size, 1 << 20);
  ATTEMPT_ASSIGN(const vfs::Content content, read_content(core, source, range.source_offset, size));
  Buffer bytes;
  bytes.reserve(content.size);
  for (const ByteSpan piece : content.pieces) bytes.insert(bytes.end(), piece.begin(), piece.end());
  ATTEMPT(write_content(core, target, range.target_offset, bytes));
  return bytes.size();
}

bool can_share(Core& core, const Node& source, Node& target, const vfs::CopyRange& range,
               std::uint64_t size) {
  const std::uint64_t after = std::max(target.file.size, range.target_offset + size);
  const bool stays = !has_object(source) && !has_object(target) &&
                     after <= external_above(core, target).value_or(UINT64_MAX);
  return stays && &source != &target && source.file.form == store::Form::chunked &&
         size >= kChunkBytes && range.source_offset % kChunkBytes == 0 &&
         range.target_offset % kChunkBytes == 0 &&
         range.target_offset + size > core.options.edit_in_place_limit;
}

// Whole chunks, each by a row that points at the source's. The source is published and committed
// first, so that its rows are there and do not change any more under the version that is shared.
Attempt<std::size_t> share_chunks(Core& core, Node& source, Node& target,
                                  const vfs::CopyRange& range, std::uint64_t size) {
  const std::uint64_t whole = size - size % kChunkBytes;
  const std::uint64_t end = range.target_offset + whole;
  ATTEMPT(check_size(core, target, end));
  publish(core, source);
  if (!core.txg.is_committed(source.group)) return wait_on(core.txg.want_commit());
  ATTEMPT(load_chunks(core, source, 0, 0));
  if (target.file.form == store::Form::inline_data) {
    if (target.file.size > 0) ATTEMPT(load_whole(core, target));
    to_chunks(core, target);
  }
  ATTEMPT(extend(core, target, end));
  const Content& from = content_of(source);
  const std::int64_t shift = chunk_of(range.target_offset) - chunk_of(range.source_offset);
  const std::int64_t first = chunk_of(range.source_offset);
  for (std::int64_t chunk = first; chunk < first + chunk_of(whole); chunk++) {
    if (from.holes.contains(chunk)) {
      void_chunks(core, target, {chunk + shift, chunk + shift + 1});
    } else {
      share_chunk(core, source, chunk, target, chunk + shift);
    }
  }
  publish(core, target);
  return whole;
}

bool can_adopt(const Node& source, const Node& target, const vfs::CopyRange& range,
               std::uint64_t size) {
  return &source != &target && source.file.object && target.file.size == 0 &&
         range.source_offset == 0 && range.target_offset == 0 && size == source.file.size;
}

// The whole of an object, which never changes: another row that refers to it.
Attempt<std::size_t> adopt(Core& core, Node& source, Node& target) {
  ATTEMPT(check_size(core, target, source.file.size));
  publish(core, source);
  if (!core.txg.is_committed(source.group)) return wait_on(core.txg.want_commit());
  ATTEMPT(load_chunks(core, source, 0, 0));
  adopt_object(core, source, target);
  publish(core, target);
  return static_cast<std::size_t>(source.file.size);
}

Attempt<std::size_t> copy_range(Core& core, Node& source, Node& target, const vfs::CopyRange& range,
                                std::uint64_t size) {
  if (can_adopt(source, target, range, size)) return adopt(core, source, target);
  if (can_share(core, source, target, range, size))
    return share_chunks(core, source, target, range, size);
  return copy_bytes(core, source, target, range, size);
}

}  // namespace

Attempt<vfs::Content> read(Core& core, Ino ino, std::uint64_t offset, std::size_t size) {
  ATTEMPT_ASSIGN(Node * node, core.regular(ino));
  const std::uint64_t end = std::min(node->file.size, offset + size);
  if (offset >= end) return vfs::Content{};
  note_position(core, *node, offset, end - offset);
  ATTEMPT_ASSIGN(vfs::Content content, read_content(core, *node, offset, end - offset));
  note_read(core, *node);
  return content;
}

Attempt<std::size_t> write(Core& core, const vfs::Call& call, Ino ino, Handle handle,
                           std::uint64_t offset, ByteSpan data) {
  ATTEMPT_ASSIGN(Node * node, core.regular(ino));
  ATTEMPT(core.txg.admit(data.size()));
  const auto open_file = core.open_files.find(static_cast<std::uint64_t>(handle));
  const std::uint64_t asked = offset;
  if (open_file != core.open_files.end() && open_file->second.flags & O_APPEND)
    offset = node->file.size;
  if (offset + data.size() > kMostBytes) return error(EFBIG);
  ATTEMPT(write_content(core, *node, offset, data));
  // The kernel did not know yet what others have written, and keeps this in the wrong place.
  if (offset != asked && core.kernel_cache) core.kernel_cache->drop_inode(node->ino);
  note_modified(core, call, *node);
  return data.size();
}

Attempt<void> fallocate(Core& core, const vfs::Call& call, Ino ino, int mode, std::uint64_t offset,
                        std::uint64_t size) {
  ATTEMPT_ASSIGN(Node * node, core.regular(ino));
  if (size == 0) return error(EINVAL);
  if (mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE))
    return error(EOPNOTSUPP);
  const bool punch = mode & FALLOC_FL_PUNCH_HOLE, zero = mode & FALLOC_FL_ZERO_RANGE;
  const bool keep = mode & FALLOC_FL_KEEP_SIZE;
  if ((punch && zero) || (punch && !keep)) return error(EOPNOTSUPP);
  if (offset + size > kMostBytes) return error(EFBIG);
  ATTEMPT(core.txg.admit(0));
  if (!keep) ATTEMPT(check_size(core, *node, offset + size));
  const std::uint64_t end = std::min(node->file.size, offset + size);
  if ((punch || zero) && offset < end) ATTEMPT(zero_content(core, *node, offset, end - offset));
  if (!keep) ATTEMPT(extend(core, *node, offset + size));
  note_modified(core, call, *node);
  core.txg.mark(*node, kDirtyRow);
  return {};
}

Attempt<std::size_t> copy_file_range(Core& core, const vfs::Call& call,
                                     const vfs::CopyRange& range) {
  ATTEMPT_ASSIGN(Node * source, core.regular(range.source));
  ATTEMPT_ASSIGN(Node * target, core.regular(range.target));
  if (range.source_offset >= source->file.size) return 0;
  const std::uint64_t size =
      std::min<std::uint64_t>(range.size, source->file.size - range.source_offset);
  if (range.target_offset + size > kMostBytes) return error(EFBIG);
  ATTEMPT(core.txg.admit(0));
  ATTEMPT_ASSIGN(const std::size_t copied, copy_range(core, *source, *target, range, size));
  note_modified(core, call, *target);
  return copied;
}

Attempt<std::uint64_t> lseek(Core& core, Ino ino, std::uint64_t offset, int whence) {
  ATTEMPT_ASSIGN(Node * node, core.regular(ino));
  if (whence != SEEK_DATA && whence != SEEK_HOLE) return error(EINVAL);
  const std::uint64_t size = node->file.size;
  if (offset >= size) return error(ENXIO);
  const bool sparse = node->file.form == store::Form::chunked && node->file.content;
  const std::int64_t end = chunks_in(size);
  std::int64_t chunk = chunk_of(offset);
  const auto in_hole = [&] { return sparse && node->file.content->holes.contains(chunk); };
  const bool want_hole = whence == SEEK_HOLE;
  if (in_hole() == want_hole) return offset;
  if (!sparse) return size;
  const auto holes = node->file.content->holes.within(chunk, end);
  if (want_hole) {
    return holes.empty() ? size : static_cast<std::uint64_t>(holes.front().first) * kChunkBytes;
  }
  const std::int64_t data = holes.front().last;
  if (data >= end) return error(ENXIO);
  return static_cast<std::uint64_t>(data) * kChunkBytes;
}

}  // namespace tusk::core
