#include "virtual/reader.h"

#include <algorithm>
#include <array>

namespace tusk::virt {
namespace {

using store::kChunkBytes;

constexpr std::int64_t kWindowChunks = 16;  // 1 MiB, the most that one request asks for
constexpr std::uint64_t kWindowBytes = static_cast<std::uint64_t>(kWindowChunks) * kChunkBytes;
constexpr std::size_t kWindowsKept = 4;

ByteSpan zeros(std::size_t size) {
  static const std::array<std::uint8_t, kChunkBytes> all{};
  return ByteSpan(all).first(size);
}

// The bytes [from, to) of a chunk; a hole and what a chunk lacks at its end are zeros.
void add_pieces(const SharedBytes& chunk, std::size_t from, std::size_t to,
                std::vector<ByteSpan>& pieces) {
  const std::size_t stored = std::min(to, chunk ? chunk->size() : 0);
  if (from < stored) pieces.push_back(ByteSpan(*chunk).subspan(from, stored - from));
  from = std::max(from, stored);
  if (from < to) pieces.push_back(zeros(to - from));
}

}  // namespace

void Reader::read(std::uint64_t offset, std::size_t size, vfs::Reply<vfs::Content> reply) {
  const std::uint64_t end = std::min(row_.size, offset + size);
  if (offset >= end) return reply(vfs::Content{});
  if (row_.form == store::Form::inline_data) {
    return need_inline([self = shared_from_this(), offset, end,
                        reply = std::move(reply)](vfs::Outcome<void> there) mutable {
      if (!there) return reply(std::unexpected(there.error()));
      const auto length = static_cast<std::size_t>(end - offset);
      reply(vfs::Content{{ByteSpan(*self->inline_).subspan(offset, length)}, length});
    });
  }
  const auto first = static_cast<std::int64_t>(offset / kWindowBytes);
  const auto last = static_cast<std::int64_t>((end - 1) / kWindowBytes);
  std::vector<WindowPtr> windows;
  for (std::int64_t number = first; number <= last; number++) windows.push_back(window(number));
  const bool sequential = first == last_window_ || first == last_window_ + 1;
  last_window_ = last;
  if (sequential && last + 1 < windows_in_file()) window(last + 1);
  drop_old_windows();
  read_windows({offset, end}, std::move(windows), 0, std::move(reply));
}

void Reader::whole(vfs::Reply<ByteSpan> reply) {
  need_inline(
      [self = shared_from_this(), reply = std::move(reply)](vfs::Outcome<void> there) mutable {
        if (!there) return reply(std::unexpected(there.error()));
        reply(ByteSpan(*self->inline_));
      });
}

void Reader::need_inline(vfs::Reply<void> then) {
  if (inline_) return then({});
  asker_.ask<SharedBytes>(
      [self = shared_from_this()](auto callback) {
        self->store_.past_inline(self->row_, std::move(callback));
      },
      [self = shared_from_this(), then = std::move(then)](vfs::Outcome<SharedBytes> bytes) mutable {
        if (!bytes) return then(std::unexpected(bytes.error()));
        self->inline_ = std::move(*bytes);
        then({});
      });
}

std::int64_t Reader::windows_in_file() const {
  return static_cast<std::int64_t>((row_.size + kWindowBytes - 1) / kWindowBytes);
}

Reader::WindowPtr Reader::window(std::int64_t number) {
  WindowPtr& window = windows_[number];
  if (!window) {
    window = std::make_shared<Window>();
    const auto chunks = static_cast<std::int64_t>((row_.size + kChunkBytes - 1) / kChunkBytes);
    const std::int64_t first = number * kWindowChunks;
    const store::ChunkRange range{first, std::min(first + kWindowChunks, chunks)};
    asker_.ask<std::vector<SharedBytes>>(
        [self = shared_from_this(), range](auto callback) {
          self->store_.past_chunks(self->row_, range, std::move(callback));
        },
        [self = shared_from_this(), number](vfs::Outcome<std::vector<SharedBytes>> found) {
          self->loaded(number, std::move(found));
        });
  }
  window->used = ++uses_;
  return window;
}

void Reader::loaded(std::int64_t number, vfs::Outcome<std::vector<SharedBytes>> chunks) {
  const WindowPtr window = windows_.at(number);
  window->loaded = true;
  vfs::Outcome<void> outcome;
  if (chunks) {
    window->chunks = std::move(*chunks);
  } else {
    windows_.erase(number);  // who reads it again asks again
    outcome = std::unexpected(chunks.error());
  }
  for (auto& each : std::exchange(window->waiting, {})) each(outcome);
}

// Waits for one window after the other, then answers with pieces of all of them.
void Reader::read_windows(Range range, std::vector<WindowPtr> windows, std::size_t next,
                          vfs::Reply<vfs::Content> reply) {
  while (next < windows.size() && windows[next]->loaded) next++;
  if (next < windows.size()) {
    Window& on = *windows[next];
    on.waiting.push_back([self = shared_from_this(), range, windows = std::move(windows), next,
                          reply = std::move(reply)](vfs::Outcome<void> there) mutable {
      if (!there) return reply(std::unexpected(there.error()));
      self->read_windows(range, std::move(windows), next, std::move(reply));
    });
    return;
  }
  vfs::Content content;
  const std::uint64_t first_chunk = range.offset / kWindowBytes * kWindowChunks;
  for (std::uint64_t at = range.offset; at < range.end;) {
    const std::uint64_t start = at / kChunkBytes * kChunkBytes;
    const std::uint64_t to = std::min(range.end, start + kChunkBytes);
    const std::uint64_t index = at / kChunkBytes - first_chunk;
    const auto& chunks = windows[index / kWindowChunks]->chunks;
    const std::size_t within = index % kWindowChunks;
    // Empty when the window could not be loaded for another reader, who was told.
    if (within >= chunks.size()) return reply(vfs::error(EIO));
    add_pieces(chunks[within], at - start, to - start, content.pieces);
    at = to;
  }
  content.size = range.end - range.offset;
  reply(std::move(content));
}

void Reader::drop_old_windows() {
  while (windows_.size() > kWindowsKept) {
    auto oldest = windows_.end();
    for (auto it = windows_.begin(); it != windows_.end(); ++it) {
      if (!it->second->loaded) continue;
      if (oldest == windows_.end() || it->second->used < oldest->second->used) oldest = it;
    }
    if (oldest == windows_.end()) return;
    windows_.erase(oldest);
  }
}

}  // namespace tusk::virt
