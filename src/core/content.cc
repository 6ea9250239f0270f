#include "core/content.h"

// The state lives in a member, as the library advises for long streams without its allocator.
#define XXH_STATIC_LINKING_ONLY
#include <xxhash.h>

#include <cstring>

namespace tusk::core {

struct RunningHash::State {
  XXH3_state_t xxh;
};

RunningHash::RunningHash() : state_(std::make_unique<State>()) { XXH3_128bits_reset(&state_->xxh); }
RunningHash::~RunningHash() = default;

void RunningHash::update(ByteSpan bytes) {
  XXH3_128bits_update(&state_->xxh, bytes.data(), bytes.size());
  length_ += bytes.size();
}

Checksum RunningHash::digest() const {
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(&state_->xxh));
  Checksum sum;
  std::memcpy(sum.bytes.data(), canonical.digest, sizeof canonical.digest);
  return sum;
}

}  // namespace tusk::core
