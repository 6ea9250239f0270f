// The encrypted form of an object, as docs/objects-format.md has it: a header, then one frame for
// every 64 KiB of content.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>

#include "objects/keyfile.h"
#include "tuskfs/objects/objects.h"

namespace tusk::objects {

inline constexpr std::uint64_t kFrameBytes = kBlockBytes;
inline constexpr std::uint64_t kFrameExtraBytes = 12 + 16;  // nonce and tag
inline constexpr std::uint64_t kStoredFrameBytes = kFrameBytes + kFrameExtraBytes;
inline constexpr std::uint64_t kHeaderBytes = 64;

using Header = std::array<std::uint8_t, kHeaderBytes>;

constexpr std::uint64_t stored_offset(std::uint64_t frame) {
  return kHeaderBytes + frame * kStoredFrameBytes;
}
// An empty object has one empty frame, so that an object cut down to its header is noticed.
constexpr std::uint64_t frames_of(std::uint64_t size) {
  return size == 0 ? 1 : (size + kFrameBytes - 1) / kFrameBytes;
}
constexpr std::uint64_t encrypted_bytes(std::uint64_t size) {
  return kHeaderBytes + size + frames_of(size) * kFrameExtraBytes;
}

struct FrameAt {
  std::uint64_t number = 0;
  bool last = false;
};

// The key of one object. It is derived from the master key, the random salt of the header and the
// object's id, and never seals anything else; so random nonces of 96 bits do not repeat under it,
// however often frames are sealed again. Any thread.
class FrameKey {
 public:
  // For an object that begins now; its header is drawn.
  static Result<FrameKey> draw(const MasterKey&, Uuid object);
  // EIO, with `url` in it: not a header of ours, or of another key.
  static Result<FrameKey> of(const MasterKey&, Uuid object, ByteSpan header,
                             const std::string& url);
  FrameKey(const FrameKey&) = default;
  FrameKey& operator=(const FrameKey&) = default;
  ~FrameKey();

  const Header& header() const { return header_; }
  // `stored` is kFrameExtraBytes longer than `plain`, in both.
  Result<void> seal(FrameAt, ByteSpan plain, std::span<std::uint8_t> stored) const;
  // False: not what seal() made for this frame of this object.
  bool open(FrameAt, ByteSpan stored, std::span<std::uint8_t> plain) const;

 private:
  FrameKey(const MasterKey&, Uuid object, const Header&);

  Uuid object_;
  Header header_;
  std::array<std::uint8_t, 32> key_;
};

}  // namespace tusk::objects
