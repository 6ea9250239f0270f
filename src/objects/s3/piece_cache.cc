#include "objects/s3/piece_cache.h"

#include <sys/statvfs.h>

#include "tuskfs/base/log.h"

namespace tusk::objects {
namespace {

// A tenth of the disk is left to others: to what is on its way up above all.
bool leaves_room(const Spool& file) {
  struct statvfs disk;
  return ::fstatvfs(file.fd(), &disk) == 0 &&
         disk.f_bavail * disk.f_frsize >= disk.f_blocks * disk.f_frsize / 10 + kPieceBytes;
}

}  // namespace

PieceCache::PieceCache(const std::string& folder, Limits limits) : limits_(limits) {
  if (folder.empty() || limits.disk_pieces == 0) return;
  auto file = Spool::open(folder);
  if (file) {
    file_ = std::move(*file);
  } else {
    log::warning("objects are cached in memory only: {}", file.error().what);
  }
}

SharedBytes PieceCache::find(const PieceId& id) {
  Entry entry;
  {
    const std::lock_guard lock(mutex_);
    const auto it = by_id_.find(id);
    if (it == by_id_.end()) return nullptr;
    entries_.splice(entries_.begin(), entries_, it->second);
    if (it->second->in_memory) return it->second->in_memory;
    entry = *it->second;
  }
  // Its slot may get another piece meanwhile: the checksum tells.
  SharedBytes piece = load(entry);
  const std::lock_guard lock(mutex_);
  const auto it = by_id_.find(id);
  if (piece && it != by_id_.end()) {
    it->second->in_memory = piece;
    make_room();
  }
  return piece;
}

SharedBytes PieceCache::load(const Entry& entry) {
  if (!file_ || !entry.slot) return nullptr;
  Buffer bytes(entry.bytes);
  if (!file_->read(*entry.slot * kPieceBytes, bytes) || checksum_of(bytes) != entry.checksum)
    return nullptr;
  return std::make_shared<const Buffer>(std::move(bytes));
}

void PieceCache::keep(const PieceId& id, SharedBytes bytes) {
  {
    const std::lock_guard lock(mutex_);
    if (const auto it = by_id_.find(id); it != by_id_.end()) forget(it->second);
    entries_.push_front({.id = id,
                         .in_memory = bytes,
                         .slot = {},
                         .bytes = bytes->size(),
                         .checksum = checksum_of(*bytes)});
    by_id_[id] = entries_.begin();
    make_room();
  }
  if (file_) store(id, bytes);
}

// With mutex_. Everything in the cache is young enough for the disk, and the youngest for memory.
void PieceCache::make_room() {
  const std::size_t most = file_ ? limits_.disk_pieces : limits_.memory_pieces;
  while (entries_.size() > most) forget(std::prev(entries_.end()));
  std::size_t place = 0;
  for (auto it = entries_.begin(); it != entries_.end() && place <= limits_.memory_pieces * 2;) {
    const auto each = it++;
    if (!each->in_memory || ++place <= limits_.memory_pieces) continue;
    each->in_memory.reset();
    if (!each->slot) forget(each);
  }
}

// With mutex_.
void PieceCache::forget(Entries::iterator it) {
  if (it->slot) free_slots_.push_back(*it->slot);
  by_id_.erase(it->id);
  entries_.erase(it);
}

void PieceCache::store(const PieceId& id, const SharedBytes& bytes) {
  std::size_t slot = 0;
  {
    const std::lock_guard lock(mutex_);
    if (free_slots_.empty()) free_slots_.push_back(slots_++);
    slot = free_slots_.back();
    free_slots_.pop_back();
  }
  const bool written = leaves_room(*file_) && file_->write(slot * kPieceBytes, *bytes).has_value();
  const std::lock_guard lock(mutex_);
  const auto it = by_id_.find(id);
  if (written && it != by_id_.end() && !it->second->slot) {
    it->second->slot = slot;
  } else {
    free_slots_.push_back(slot);
  }
}

void PieceCache::drop(Uuid object) {
  const std::lock_guard lock(mutex_);
  for (auto it = entries_.begin(); it != entries_.end();) {
    const auto each = it++;
    if (each->id.object == object) forget(each);
  }
}

}  // namespace tusk::objects
