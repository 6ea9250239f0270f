#include "objects/encrypted_upload.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <mutex>

namespace tusk::objects {
namespace {

constexpr std::uint64_t kFramesAtOnce = 16;

}  // namespace

Result<void> EncryptedUpload::begin() { return it_.inner->write(0, it_.key.header()); }

Result<void> EncryptedUpload::write(std::uint64_t offset, ByteSpan bytes) {
  TRY(unseal_last());
  while (!bytes.empty()) {
    const std::uint64_t within = offset % kFrameBytes;
    std::size_t n = 0;
    if (within == 0 && bytes.size() >= kFrameBytes) {
      n = std::min(bytes.size() / kFrameBytes, kFramesAtOnce) * kFrameBytes;
      TRY(write_run(offset / kFrameBytes, bytes.first(n)));
    } else {
      n = std::min<std::size_t>(bytes.size(), kFrameBytes - within);
      TRY(write_part(offset, bytes.first(n)));
    }
    bytes = bytes.subspan(n);
    offset += n;
  }
  return {};
}

Result<void> EncryptedUpload::write_run(std::uint64_t frame, ByteSpan plain) {
  const std::uint64_t count = plain.size() / kFrameBytes;
  Buffer stored(count * kStoredFrameBytes);
  for (std::uint64_t i = 0; i < count; i++) {
    TRY(it_.key.seal({.number = frame + i}, plain.subspan(i * kFrameBytes, kFrameBytes),
                     std::span(stored).subspan(i * kStoredFrameBytes, kStoredFrameBytes)));
  }
  const std::unique_lock lock(mutex_);
  TRY(it_.inner->write(stored_offset(frame), stored));
  if (written_.size() < frame + count) written_.resize(frame + count);
  std::fill_n(written_.begin() + static_cast<std::ptrdiff_t>(frame), count, true);
  return {};
}

Result<void> EncryptedUpload::write_part(std::uint64_t offset, ByteSpan bytes) {
  Buffer whole(kFrameBytes);
  TRY(read_frame(offset / kFrameBytes, whole));
  std::ranges::copy(bytes, whole.begin() + static_cast<std::ptrdiff_t>(offset % kFrameBytes));
  return write_run(offset / kFrameBytes, whole);
}

Result<void> EncryptedUpload::read(std::uint64_t offset, std::span<std::uint8_t> into) {
  Buffer spare;
  while (!into.empty()) {
    const std::uint64_t within = offset % kFrameBytes;
    const std::size_t n = std::min<std::size_t>(into.size(), kFrameBytes - within);
    if (n == kFrameBytes) {
      TRY(read_frame(offset / kFrameBytes, into.first(n)));
    } else {
      spare.resize(kFrameBytes);
      TRY(read_frame(offset / kFrameBytes, spare));
      std::memcpy(into.data(), spare.data() + within, n);
    }
    into = into.subspan(n);
    offset += n;
  }
  return {};
}

Result<void> EncryptedUpload::read_frame(std::uint64_t frame, std::span<std::uint8_t> whole) {
  std::shared_lock lock(mutex_);
  if (!is_written(frame)) {
    // May take its time: those who write do not wait for it.
    lock.unlock();
    return read_base(frame, whole);
  }
  const bool last = sealed_ && sealed_->frame == frame;
  const std::uint64_t bytes = last ? sealed_->bytes : kFrameBytes;
  Buffer stored(bytes + kFrameExtraBytes);
  TRY(it_.inner->read(stored_offset(frame), stored));
  if (!it_.key.open({.number = frame, .last = last}, stored, whole.first(bytes)))
    return fail(EIO, fmt::format("{} is damaged: what was written does not open", it_.url));
  std::ranges::fill(whole.subspan(bytes), std::uint8_t{0});
  return {};
}

Result<void> EncryptedUpload::read_base(std::uint64_t frame, std::span<std::uint8_t> whole) {
  const std::uint64_t at = frame * kFrameBytes;
  std::size_t n = 0;
  if (it_.base && at < it_.base->size) {
    const std::size_t wanted = std::min<std::uint64_t>(kFrameBytes, it_.base->size - at);
    TRY_ASSIGN(n, plain_.read(it_.base->id, at, whole.first(wanted)));
  }
  std::ranges::fill(whole.subspan(n), std::uint8_t{0});
  return {};
}

// Holes become frames of zeros: what is stored as a hole could be taken away unnoticed.
Result<void> EncryptedUpload::finish(std::uint64_t size) {
  TRY(unseal_last());
  const std::uint64_t last = frames_of(size) - 1;
  Buffer whole(kFrameBytes);
  for (std::uint64_t frame = 0; frame < last; frame++) {
    if (is_written(frame)) continue;
    TRY(read_frame(frame, whole));
    TRY(write_run(frame, whole));
  }
  TRY(write_last(last, size - last * kFrameBytes));
  return it_.inner->finish(encrypted_bytes(size));
}

Result<void> EncryptedUpload::write_last(std::uint64_t frame, std::uint64_t bytes) {
  Buffer whole(kFrameBytes), stored(bytes + kFrameExtraBytes);
  TRY(read_frame(frame, whole));
  TRY(it_.key.seal({.number = frame, .last = true}, ByteSpan(whole).first(bytes), stored));
  const std::unique_lock lock(mutex_);
  TRY(it_.inner->write(stored_offset(frame), stored));
  // What lay behind is gone from here on, should more be written after a finish() that failed.
  written_.resize(frame + 1);
  written_[frame] = true;
  sealed_ = {.frame = frame, .bytes = bytes};
  if (it_.base) it_.base->size = std::min(it_.base->size, frame * kFrameBytes + bytes);
  return {};
}

Result<void> EncryptedUpload::unseal_last() {
  if (!sealed_) return {};
  Buffer whole(kFrameBytes), stored(kStoredFrameBytes);
  TRY(read_frame(sealed_->frame, whole));
  TRY(it_.key.seal({.number = sealed_->frame}, whole, stored));
  const std::unique_lock lock(mutex_);
  TRY(it_.inner->write(stored_offset(sealed_->frame), stored));
  sealed_.reset();
  return {};
}

}  // namespace tusk::objects
