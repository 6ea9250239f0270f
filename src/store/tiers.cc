#include "tiers.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "codec.h"
#include "group_owners.h"
#include "tuskfs/base/log.h"

namespace tusk::store {
namespace {

constexpr std::int64_t kChunksAtOnce = 16;
constexpr int kMostFailures = 3;

static_assert(kChunkBytes == objects::kBlockBytes);

std::uint64_t offset_of(std::int64_t chunk) {
  return static_cast<std::uint64_t>(chunk) * kChunkBytes;
}

std::int64_t chunks_in(std::uint64_t size) {
  return static_cast<std::int64_t>((size + kChunkBytes - 1) / kChunkBytes);
}

std::vector<bool> marked(const std::vector<ChunkRange>& ranges, std::int64_t end) {
  std::vector<bool> marks(static_cast<std::size_t>(end));
  for (const ChunkRange& range : ranges) {
    for (std::int64_t n = std::max<std::int64_t>(range.first, 0); n < std::min(range.last, end);
         n++)
      marks[static_cast<std::size_t>(n)] = true;
  }
  return marks;
}

const Buffer& zero_chunk() {
  static const Buffer zeros = [] {
    Buffer chunk(kChunkBytes);
    std::memset(chunk.data(), 0, chunk.size());
    return chunk;
  }();
  return zeros;
}

// Runs of chunks below `end` for which `wanted` holds, none longer than what is moved at once.
template <class Wanted, class Fn>
Result<void> for_each_run(std::int64_t end, Wanted wanted, Fn fn) {
  for (std::int64_t first = 0; first < end;) {
    if (!wanted(first)) {
      first++;
      continue;
    }
    std::int64_t last = first + 1;
    while (last < end && last - first < kChunksAtOnce && wanted(last)) last++;
    TRY(fn(ChunkRange{first, last}));
    first = last;
  }
  return {};
}

}  // namespace

// An object that is not committed yet.
struct Tiers::Writing {
  FileId file;
  ChunkSource base;
  std::unique_ptr<objects::Upload> upload;
  std::mutex mutex;
  std::vector<bool> written;  // chunks that groups put; guarded by mutex
  Sums sums;                  // of those; the committing thread's
  bool finished = false;

  bool has(std::int64_t chunk) {
    const std::lock_guard lock(mutex);
    return static_cast<std::size_t>(chunk) < written.size() &&
           written[static_cast<std::size_t>(chunk)];
  }

  // Whole chunks, since what is short ends with zeros.
  Result<void> put(std::int64_t chunk, ByteSpan data) {
    if (data.size() == kChunkBytes) {
      TRY(upload->write(offset_of(chunk), data));
    } else {
      Buffer whole = zero_chunk();
      std::memcpy(whole.data(), data.data(), data.size());
      TRY(upload->write(offset_of(chunk), whole));
    }
    const auto at = static_cast<std::size_t>(chunk);
    const std::lock_guard lock(mutex);
    if (at >= written.size()) {
      written.resize(at + 1);
      sums.resize(at + 1, sum_of_zeros());
    }
    written[at] = true;
    sums[at] = sum_of_chunk(data);
    return {};
  }
};

Tiers::Tiers(std::unique_ptr<objects::Objects> objects, const Lease& lease)
    : objects_(std::move(objects)), lease_(lease) {}

Tiers::~Tiers() = default;

Result<void> Tiers::require_objects() const {
  if (objects_) return {};
  return fail(EIO,
              "the content is in an object outside of the database, and these are out of reach");
}

Tiers::WritingPtr Tiers::find(Uuid object) {
  const std::lock_guard lock(mutex_);
  const auto it = writings_.find(object);
  return it == writings_.end() ? nullptr : it->second;
}

Result<Tiers::WritingPtr> Tiers::open(const ObjectWrite& write, Loader& loader) {
  if (WritingPtr there = find(write.object)) return there;
  BinaryArray ids(ElementType::uuid), urls(ElementType::text);
  ids.add(write.object);
  urls.add(std::string_view(objects_->url(write.object)));
  Params params = Params().add(lease_.attached.tenant).add(lease_.epoch);
  params.add_view(ids.finish()).add_view(urls.finish());
  TRY(loader.ask({{"begin_objects", params}}));

  auto writing = std::make_shared<Writing>();
  writing->file = write.file;
  writing->base = write.base;
  std::optional<objects::Base> base;
  if (write.base.object) base = objects::Base{*write.base.object, write.base.size};
  auto upload = objects_->create(write.object, base);
  if (!upload && upload.error().code == EEXIST) {
    // An attempt that failed half way, as on a full disk.
    TRY(objects_->remove(write.object));
    upload = objects_->create(write.object, base);
  }
  if (!upload) return std::unexpected(std::move(upload).error());
  writing->upload = std::move(*upload);
  const std::lock_guard lock(mutex_);
  writings_[write.object] = writing;
  return writing;
}

// What neither groups put nor the base object brought: rows of the base, and zeros in holes.
Result<void> Tiers::finish(Writing& writing, const ObjectWrite& write, Loader& loader) {
  const std::int64_t end = chunks_in(write.finish->size);
  const std::int64_t base_end = std::min(end, chunks_in(writing.base.size));
  const std::vector<bool> holes = marked(write.finish->holes, end);
  const std::vector<bool> base_holes = marked(writing.base.holes, base_end);
  const auto is_hole = [&](std::int64_t n) { return holes[static_cast<std::size_t>(n)]; };
  const auto of_base = [&](std::int64_t n) {
    return n < base_end && !base_holes[static_cast<std::size_t>(n)];
  };

  for (std::int64_t n = 0; n < end; n++) {
    if (is_hole(n) && (writing.has(n) || (writing.base.object && of_base(n))))
      TRY(writing.put(n, zero_chunk()));
  }
  writing.sums.resize(static_cast<std::size_t>(end), sum_of_zeros());
  if (writing.base.object) {
    TRY_ASSIGN(const Sums known, load_sums(loader, *writing.base.object, 0, base_end));
    for (std::int64_t n = 0; n < std::min<std::int64_t>(base_end, std::ssize(known)); n++) {
      const auto at = static_cast<std::size_t>(n);
      if (!writing.has(n) && of_base(n)) writing.sums[at] = known[at];
    }
  } else {
    const auto missing = [&](std::int64_t n) {
      return !writing.has(n) && !is_hole(n) && of_base(n);
    };
    const auto take_rows = [&](ChunkRange run) -> Result<void> {
      TRY_ASSIGN(const auto rows, loader.chunks({writing.file, run, writing.base.version, {}, {}}));
      for (const Chunk& row : rows) TRY(writing.put(row.number, *row.data));
      return {};
    };
    TRY(for_each_run(base_end, missing, take_rows));
  }
  for (std::int64_t n = 0; n < end; n++) {
    const bool is_there = writing.has(n) || is_hole(n) || (writing.base.object && of_base(n));
    if (is_there) continue;
    log::error("file {}: chunk {} is missing, so the object {} cannot be written",
               writing.file.uuid.text(), n, objects_->url(write.object));
    return fail(EIO, "a chunk is missing");
  }
  TRY(writing.upload->finish(write.finish->size));
  writing.finished = true;
  return {};
}

Result<void> Tiers::apply(const ObjectWrite& write, Loader& loader) {
  TRY_ASSIGN(const WritingPtr writing, open(write, loader));
  if (writing->finished) return {};
  for (const ObjectWrite::Put& put : write.puts) TRY(writing->put(put.chunk, *put.data));
  if (write.finish) TRY(finish(*writing, write, loader));
  return {};
}

Result<void> Tiers::fetch(const ObjectFetch& fetch, Group& into, Loader& loader) {
  for (ChunkRange range : fetch.ranges) {
    while (range.first < range.last) {
      const std::int64_t stop = std::min(range.last, range.first + kChunksAtOnce);
      TRY_ASSIGN(auto chunks, read_object(fetch.object, {range.first, stop}, loader));
      for (Chunk& chunk : chunks)
        into.chunk_puts.push_back({fetch.file, chunk.number, fetch.version, std::move(chunk.data)});
      range.first = stop;
    }
  }
  return {};
}

void Tiers::abandon(Uuid object) {
  {
    const std::lock_guard lock(mutex_);
    writings_.erase(object);
  }
  failures_.erase(object);
  // Its row is garbage for the next mount, as the object is when this fails.
  if (const auto removed = objects_->remove(object); !removed)
    log::warning("{}", removed.error().what);
}

// One file whose object cannot be written must not hold up all others for ever. What passes by
// itself, or when someone makes room, is waited for.
Result<bool> Tiers::apply_or_refuse(const ObjectWrite& write, Written& written, Loader& loader) {
  auto applied = apply(write, loader);
  if (applied) {
    failures_.erase(write.object);
    return true;
  }
  const int code = applied.error().code;
  const bool is_final = code == EIO || code == EFBIG;
  if (!is_final || ++failures_[write.object] < kMostFailures)
    return std::unexpected(std::move(applied).error());
  abandon(write.object);
  log::error("{} is not stored: {}", write.file.uuid.text(), applied.error().what);
  written.refused.push_back({write.file.uuid, applied.error().what});
  return false;
}

Result<Tiers::Written> Tiers::write(std::shared_ptr<const Group> group, Loader& loader) {
  if (group->object_writes.empty() && group->object_fetches.empty() &&
      group->objects_abandoned.empty())
    return Written{std::move(group)};
  TRY(require_objects());
  for (const Uuid& object : group->objects_abandoned) abandon(object);
  auto rows = std::make_shared<Group>(*group);
  rows->object_writes.clear();
  Written written;
  for (const ObjectWrite& write : group->object_writes) {
    TRY_ASSIGN(const bool is_there, apply_or_refuse(write, written, loader));
    if (!is_there || !write.finish) continue;
    rows->object_writes.push_back(
        {write.object, write.file, {}, {}, write.finish, packed(find(write.object)->sums)});
  }
  for (const ObjectFetch& each : group->object_fetches) TRY(fetch(each, *rows, loader));
  for (const Refusal& refusal : written.refused) drop_owner(*rows, refusal.owner);
  written.rows = std::move(rows);
  return written;
}

void Tiers::settle(const Group& group) {
  const std::lock_guard lock(mutex_);
  for (const ObjectWrite& write : group.object_writes) {
    if (write.finish) writings_.erase(write.object);
  }
}

Result<std::vector<Chunk>> Tiers::read_object(Uuid object, ChunkRange range, Loader& loader) {
  TRY(require_objects());
  Buffer bytes(static_cast<std::size_t>(range.last - range.first) * kChunkBytes);
  const auto read = objects_->read(object, offset_of(range.first), bytes);
  if (!read) {
    log::error("object {}: {}", objects_->url(object), read.error().what);
    // A file that is there must not look as if it were not.
    return fail(read.error().code == ENOENT ? EIO : read.error().code, read.error().what);
  }
  const std::size_t have = *read;
  std::vector<Chunk> chunks;
  for (std::size_t from = 0; from < have; from += kChunkBytes) {
    const std::int64_t number = range.first + static_cast<std::int64_t>(from / kChunkBytes);
    const ByteSpan data = ByteSpan(bytes).subspan(from, std::min(have - from, kChunkBytes));
    TRY_ASSIGN(const auto sum, sums_.sum(loader, object, number));
    if (sum != sum_of_chunk(data)) {
      log::error("object {} is damaged: chunk {} does not match its checksum",
                 objects_->url(object), number);
      return fail(EIO, fmt::format("object {} is damaged", objects_->url(object)));
    }
    chunks.push_back({number, std::make_shared<Buffer>(data.begin(), data.end())});
  }
  return chunks;
}

Result<std::vector<Chunk>> Tiers::read(const ChunkQuery& query, Loader& loader) {
  if (query.writing.empty() && !query.object) return loader.chunks(query);
  TRY(require_objects());
  std::vector<WritingPtr> layers;
  std::optional<Uuid> bottom = query.object;
  for (const Uuid& object : query.writing) {
    WritingPtr writing = find(object);
    if (!writing) {
      // It has committed since the question was asked, and has everything.
      bottom = object;
      break;
    }
    layers.push_back(std::move(writing));
  }
  const auto layer_of = [&](std::int64_t n) -> Writing* {
    const auto it = std::ranges::find_if(layers, [n](const auto& layer) { return layer->has(n); });
    return it == layers.end() ? nullptr : it->get();
  };

  std::vector<Chunk> chunks;
  for (ChunkRange rest = query.range; rest.first < rest.last;) {
    Writing* layer = layer_of(rest.first);
    if (layer) {
      auto data = std::make_shared<Buffer>(kChunkBytes);
      TRY(layer->upload->read(offset_of(rest.first), *data));
      chunks.push_back({rest.first++, std::move(data)});
      continue;
    }
    std::int64_t stop = rest.first + 1;
    while (stop < rest.last && !layer_of(stop)) stop++;
    const ChunkRange run{rest.first, stop};
    TRY_ASSIGN(auto found, bottom ? read_object(*bottom, run, loader)
                                  : loader.chunks({query.file, run, query.version, {}, {}}));
    std::ranges::move(found, std::back_inserter(chunks));
    rest.first = stop;
  }
  return chunks;
}

}  // namespace tusk::store
