#include "objects/encrypted.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <unordered_map>

#include "objects/encrypted_upload.h"

namespace tusk::objects {
namespace {

constexpr std::uint64_t kFramesAtOnce = 32;
constexpr std::size_t kKeysKept = 4096;

// What is known of an object: its key, and its size once its last frame has been seen.
struct Known {
  FrameKey key;
  std::optional<std::uint64_t> size = {};
};

class EncryptedObjects final : public Objects {
 public:
  EncryptedObjects(std::unique_ptr<Objects> inner, const MasterKey& master)
      : inner_(std::move(inner)), master_(master) {}

  Result<std::unique_ptr<Upload>> create(Uuid id, std::optional<Base> base) override {
    TRY_ASSIGN(FrameKey key, FrameKey::draw(master_, id));
    TRY_ASSIGN(auto inner, inner_->create(id, std::nullopt));
    auto upload = std::make_unique<EncryptedUpload>(
        EncryptedUpload::Parts{std::move(inner), std::move(key), base, url(id)}, *this);
    TRY(upload->begin());
    return upload;
  }

  Result<std::size_t> read(Uuid id, std::uint64_t offset, std::span<std::uint8_t> into) override;

  Result<void> remove(Uuid id) override {
    forget(id);
    return inner_->remove(id);
  }
  Result<void> list(const std::function<void(const Listed&)>& found) override {
    return inner_->list(found);
  }
  Result<void> save_as(Uuid id, const std::filesystem::path& target) override {
    return inner_->save_as(id, target);
  }
  Result<void> restore_from(Uuid id, const std::filesystem::path& source) override {
    forget(id);
    return inner_->restore_from(id, source);
  }
  Result<std::optional<std::uint64_t>> size(Uuid id) override { return inner_->size(id); }
  std::string url(Uuid id) const override { return inner_->url(id); }
  const std::string& mark() const override { return inner_->mark(); }

 private:
  struct Run {
    Uuid id;
    std::uint64_t frame;
    std::span<std::uint8_t> plain;  // whole frames
    bool ended = false;             // the object's last frame is in it
  };

  Result<Known> known(Uuid id);
  void forget(Uuid id);
  void learn_size(Uuid id, std::uint64_t size);
  Result<std::size_t> read_run(const Known&, Run&);
  Result<std::size_t> open_run(const Known&, Run&, ByteSpan stored);
  Result<std::uint64_t> find_size(const Known&, Uuid id, std::uint64_t beyond);
  Result<bool> has_frame(Uuid id, std::uint64_t frame);
  std::unexpected<Error> damaged(Uuid id, std::string_view how) const {
    return fail(EIO, fmt::format("{} is damaged: {}", url(id), how));
  }

  const std::unique_ptr<Objects> inner_;
  const MasterKey master_;
  std::mutex mutex_;
  std::unordered_map<Uuid, Known> known_;  // guarded by mutex_; emptied when it is full
};

Result<Known> EncryptedObjects::known(Uuid id) {
  {
    const std::lock_guard lock(mutex_);
    if (const auto it = known_.find(id); it != known_.end()) return it->second;
  }
  Header header;
  TRY_ASSIGN(const std::size_t n, inner_->read(id, 0, header));
  TRY_ASSIGN(FrameKey key, FrameKey::of(master_, id, ByteSpan(header).first(n), url(id)));
  const std::lock_guard lock(mutex_);
  if (known_.size() >= kKeysKept) known_.clear();
  return known_.insert_or_assign(id, Known{std::move(key)}).first->second;
}

void EncryptedObjects::forget(Uuid id) {
  const std::lock_guard lock(mutex_);
  known_.erase(id);
}

void EncryptedObjects::learn_size(Uuid id, std::uint64_t size) {
  const std::lock_guard lock(mutex_);
  if (const auto it = known_.find(id); it != known_.end()) it->second.size = size;
}

Result<std::size_t> EncryptedObjects::read(Uuid id, std::uint64_t offset,
                                           std::span<std::uint8_t> into) {
  TRY_ASSIGN(const Known object, known(id));
  std::size_t done = 0;
  Buffer plain;
  while (done < into.size()) {
    const std::uint64_t at = offset + done;
    if (object.size && at >= *object.size) break;
    const std::uint64_t first = at / kFrameBytes;
    const std::uint64_t end = (offset + into.size() + kFrameBytes - 1) / kFrameBytes;
    plain.resize(std::min(end - first, kFramesAtOnce) * kFrameBytes);
    Run run{.id = id, .frame = first, .plain = plain};
    TRY_ASSIGN(std::size_t n, read_run(object, run));
    if (n == 0 && !run.ended) {
      // There was a frame before, and it was not the last one.
      if (done > 0) return damaged(id, "its end is missing");
      TRY_ASSIGN(const std::uint64_t size, find_size(object, id, first));
      learn_size(id, size);
      break;
    }
    if (run.ended) learn_size(id, first * kFrameBytes + n);
    const std::size_t skipped = std::min<std::size_t>(n, at % kFrameBytes);
    n = std::min(n - skipped, into.size() - done);
    std::memcpy(into.data() + done, plain.data() + skipped, n);
    done += n;
    if (run.ended) break;
  }
  return done;
}

// One byte more than the frames have tells whether anything follows them.
Result<std::size_t> EncryptedObjects::read_run(const Known& object, Run& run) {
  const std::uint64_t wanted = run.plain.size() / kFrameBytes * kStoredFrameBytes;
  Buffer stored(wanted + 1);
  TRY_ASSIGN(const std::size_t n, inner_->read(run.id, stored_offset(run.frame), stored));
  run.ended = n > 0 && n <= wanted;
  return open_run(object, run, ByteSpan(stored).first(std::min<std::size_t>(n, wanted)));
}

Result<std::size_t> EncryptedObjects::open_run(const Known& object, Run& run, ByteSpan stored) {
  std::size_t done = 0;
  for (std::uint64_t frame = run.frame; !stored.empty(); frame++) {
    const std::size_t n = std::min<std::size_t>(stored.size(), kStoredFrameBytes);
    if (n < kFrameExtraBytes) return damaged(run.id, "it is cut off");
    const bool last = run.ended && n == stored.size();
    const std::size_t bytes = n - kFrameExtraBytes;
    if (!object.key.open({.number = frame, .last = last}, stored.first(n),
                         run.plain.subspan(done, bytes))) {
      return damaged(run.id, fmt::format("frame {} is not what was written", frame));
    }
    done += bytes;
    stored = stored.subspan(n);
  }
  return done;
}

Result<bool> EncryptedObjects::has_frame(Uuid id, std::uint64_t frame) {
  std::uint8_t byte = 0;
  TRY_ASSIGN(const std::size_t n, inner_->read(id, stored_offset(frame), {&byte, 1}));
  return n == 1;
}

// Reading behind the end is no proof that the object ends there: its last frame is.
Result<std::uint64_t> EncryptedObjects::find_size(const Known& object, Uuid id,
                                                  std::uint64_t beyond) {
  std::uint64_t low = 0, high = beyond;  // the last frame is in [low, high)
  if (high == 0) return damaged(id, "its end is missing");
  while (high - low > 1) {
    const std::uint64_t middle = low + (high - low) / 2;
    TRY_ASSIGN(const bool there, has_frame(id, middle));
    (there ? low : high) = middle;
  }
  Buffer plain(kFrameBytes);
  Run run{.id = id, .frame = low, .plain = plain};
  TRY_ASSIGN(const std::size_t n, read_run(object, run));
  if (!run.ended) return damaged(id, "its end is missing");
  return low * kFrameBytes + n;
}

}  // namespace

std::unique_ptr<Objects> encrypted(std::unique_ptr<Objects> inner, const MasterKey& master) {
  return std::make_unique<EncryptedObjects>(std::move(inner), master);
}

}  // namespace tusk::objects
