// Buffers of content: written by one owner, then shared and never changed again.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <type_traits>
#include <vector>

namespace tusk {

// Leaves new bytes uninitialised on resize(): content is overwritten at once.
template <class T>
struct UninitialisedAllocator : std::allocator<T> {
  template <class U>
  struct rebind {
    using other = UninitialisedAllocator<U>;
  };
  template <class U>
  void construct(U* at) noexcept(std::is_nothrow_default_constructible_v<U>) {
    ::new (static_cast<void*>(at)) U;
  }
  template <class U, class... Args>
  void construct(U* at, Args&&... args) {
    ::new (static_cast<void*>(at)) U(std::forward<Args>(args)...);
  }
};

using Buffer = std::vector<std::uint8_t, UninitialisedAllocator<std::uint8_t>>;
using SharedBytes = std::shared_ptr<const Buffer>;
using ByteSpan = std::span<const std::uint8_t>;

inline ByteSpan bytes_of(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

// XXH3-128 of some content, in the canonical (big-endian) byte order that `xxhsum -H2` prints.
struct Checksum {
  std::array<std::uint8_t, 16> bytes{};
  bool operator==(const Checksum&) const = default;
};
Checksum checksum_of(ByteSpan content);

// The same of content that comes in pieces, in order.
class RunningHash {
 public:
  RunningHash();
  ~RunningHash();
  RunningHash(const RunningHash&) = delete;
  RunningHash& operator=(const RunningHash&) = delete;
  std::uint64_t length() const { return length_; }
  void update(ByteSpan bytes);
  Checksum digest() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
  std::uint64_t length_ = 0;
};

}  // namespace tusk
