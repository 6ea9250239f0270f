#include "object_sums.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace tusk::store {
namespace {

constexpr std::int64_t kSliceChunks = 4096;  // 256 MiB of content
constexpr std::size_t kMostSlices = 256;     // 8 MiB of memory

}  // namespace

std::uint64_t sum_of_chunk(ByteSpan data) {
  if (data.size() == kChunkBytes) return XXH3_64bits(data.data(), data.size());
  std::array<std::uint8_t, kChunkBytes> whole{};
  std::memcpy(whole.data(), data.data(), data.size());
  return XXH3_64bits(whole.data(), whole.size());
}

std::uint64_t sum_of_zeros() {
  static const std::uint64_t sum = sum_of_chunk({});
  return sum;
}

Buffer packed(const Sums& sums) {
  Buffer bytes(sums.size() * 8);
  for (std::size_t i = 0; i < bytes.size(); i++) {
    bytes[i] = static_cast<std::uint8_t>(sums[i / 8] >> (56 - 8 * (i % 8)));
  }
  return bytes;
}

Sums unpacked(ByteSpan bytes) {
  Sums sums(bytes.size() / 8);
  for (std::size_t i = 0; i < sums.size() * 8; i++) sums[i / 8] = sums[i / 8] << 8 | bytes[i];
  return sums;
}

Result<Sums> load_sums(Loader& loader, Uuid object, std::int64_t first, std::int64_t count) {
  const Params params = Params().add(object).add(first).add(count);
  TRY_ASSIGN(const auto found, loader.ask({{"object_sums", params}}));
  if (found[0].rows() == 0 || found[0].row(0).is_null(0)) {
    return fail(ENOENT, fmt::format("object {} is not in tusk.objects", object.text()));
  }
  return unpacked(found[0].row(0).bytes(0));
}

std::shared_ptr<const Sums> SumsCache::find(const Key& key) {
  const std::lock_guard lock(mutex_);
  const auto it = slices_.find(key);
  if (it == slices_.end()) return nullptr;
  used_.splice(used_.begin(), used_, it->second.used);
  return it->second.sums;
}

void SumsCache::keep(const Key& key, std::shared_ptr<const Sums> sums) {
  const std::lock_guard lock(mutex_);
  if (slices_.contains(key)) return;
  used_.push_front(key);
  slices_[key] = {std::move(sums), used_.begin()};
  if (used_.size() <= kMostSlices) return;
  slices_.erase(used_.back());
  used_.pop_back();
}

Result<std::optional<std::uint64_t>> SumsCache::sum(Loader& loader, Uuid object,
                                                    std::int64_t chunk) {
  const Key key{object, chunk / kSliceChunks};
  std::shared_ptr<const Sums> slice = find(key);
  if (!slice) {
    TRY_ASSIGN(Sums loaded, load_sums(loader, object, key.second * kSliceChunks, kSliceChunks));
    slice = std::make_shared<const Sums>(std::move(loaded));
    keep(key, slice);
  }
  const auto at = static_cast<std::size_t>(chunk % kSliceChunks);
  if (at >= slice->size()) return std::nullopt;
  return (*slice)[at];
}

}  // namespace tusk::store
