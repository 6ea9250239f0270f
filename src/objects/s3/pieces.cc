#include "objects/s3/pieces.h"

#include <pthread.h>

#include <algorithm>
#include <cstring>
#include <exception>
#include <memory>

#include "tuskfs/base/log.h"

namespace tusk::objects {
namespace {

constexpr std::size_t kThreads = 4;
constexpr std::uint64_t kAheadMost = 8;
constexpr std::size_t kWantedMost = 64;
constexpr std::size_t kReadersMost = 1024;

}  // namespace

Pieces::Pieces(const std::string& folder, PieceCache::Limits limits, Fetch fetch)
    : cache_(folder, limits), fetch_(std::move(fetch)) {}

Pieces::~Pieces() {
  for (auto& thread : threads_) thread.request_stop();
  threads_.clear();
}

Result<std::size_t> Pieces::read(Uuid object, std::uint64_t offset, std::span<std::uint8_t> into) {
  std::size_t done = 0;
  while (done < into.size()) {
    const std::uint64_t at = offset + done;
    const PieceId id{.object = object, .number = at / kPieceBytes};
    read_ahead(id);
    TRY_ASSIGN(const SharedBytes piece, get(id));
    const std::size_t within = at % kPieceBytes;
    if (within >= piece->size()) break;
    const std::size_t n = std::min(piece->size() - within, into.size() - done);
    std::memcpy(into.data() + done, piece->data() + within, n);
    done += n;
    if (piece->size() < kPieceBytes) break;
  }
  return done;
}

Result<SharedBytes> Pieces::get(const PieceId& id) {
  for (;;) {
    if (auto piece = cache_.find(id)) return piece;
    std::unique_lock lock(mutex_);
    if (under_way_.insert(id).second) break;
    changed_.wait(lock, [this, &id] { return !under_way_.contains(id); });
  }
  return fetch(id);
}

// With `id` under way, which it is no more afterwards.
Result<SharedBytes> Pieces::fetch(const PieceId& id) {
  const std::shared_ptr<void> end(nullptr, [this, id](void*) { done_with(id); });
  TRY_ASSIGN(Fetched fetched, fetch_(id));
  if (fetched.object_bytes) note_end(id.object, *fetched.object_bytes);
  SharedBytes piece = std::make_shared<const Buffer>(std::move(fetched.bytes));
  cache_.keep(id, piece);
  return piece;
}

void Pieces::done_with(const PieceId& id) {
  {
    const std::lock_guard lock(mutex_);
    under_way_.erase(id);
  }
  changed_.notify_all();
}

void Pieces::note_end(Uuid object, std::uint64_t object_bytes) {
  const std::lock_guard lock(mutex_);
  if (const auto it = readers_.find(object); it != readers_.end())
    it->second.end = (object_bytes + kPieceBytes - 1) / kPieceBytes;
}

// Who reads on gets twice as much ahead each time; who does not gets nothing.
void Pieces::read_ahead(const PieceId& id) {
  const std::lock_guard lock(mutex_);
  if (readers_.size() >= kReadersMost) readers_.clear();
  Reader& reader = readers_[id.object];
  if (id.number + 1 == reader.next) return;
  const bool goes_on = id.number == reader.next;
  reader.ahead = goes_on ? std::clamp<std::uint64_t>(reader.ahead * 2, 1, kAheadMost) : 0;
  if (!goes_on) reader.asked = 0;
  reader.next = id.number + 1;
  const std::uint64_t last = std::min(reader.next + reader.ahead, reader.end);
  for (auto next = std::max(reader.next, reader.asked); next < last && wanted_.size() < kWantedMost;
       next++) {
    wanted_.push_back({.object = id.object, .number = next});
    reader.asked = next + 1;
  }
  while (!wanted_.empty() && threads_.size() < kThreads) {
    threads_.emplace_back([this](const std::stop_token& stop) { work(stop); });
    ::pthread_setname_np(threads_.back().native_handle(), "tusk-ahead");
  }
  changed_.notify_all();
}

void Pieces::work(const std::stop_token& stop) {
  for (;;) {
    PieceId id;
    {
      std::unique_lock lock(mutex_);
      if (!changed_.wait(lock, stop, [this] { return !wanted_.empty(); })) return;
      if (stop.stop_requested()) return;
      id = wanted_.front();
      wanted_.pop_front();
    }
    // Only a head start: who reads the piece finds what is wrong.
    try {
      static_cast<void>(get(id));
    } catch (const std::exception& broken) {
      log::debug("cannot read ahead: {}", broken.what());
    }
  }
}

void Pieces::drop(Uuid object) {
  cache_.drop(object);
  const std::lock_guard lock(mutex_);
  readers_.erase(object);
}

}  // namespace tusk::objects
