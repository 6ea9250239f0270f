#include "tuskfs/base/bytes.h"

// The state of a running hash lives in a member, which only the static interface allows.
#define XXH_STATIC_LINKING_ONLY
#include <xxhash.h>

#include <cstring>

namespace tusk {

namespace {

Checksum canonical(XXH128_hash_t hash) {
  XXH128_canonical_t form;
  XXH128_canonicalFromHash(&form, hash);
  Checksum sum;
  static_assert(sizeof form.digest == sizeof sum.bytes);
  std::memcpy(sum.bytes.data(), form.digest, sizeof form.digest);
  return sum;
}

}  // namespace

Checksum checksum_of(ByteSpan content) {
  return canonical(XXH3_128bits(content.data(), content.size()));
}

struct RunningHash::State {
  XXH3_state_t xxh;
};

RunningHash::RunningHash() : state_(std::make_unique<State>()) { XXH3_128bits_reset(&state_->xxh); }
RunningHash::~RunningHash() = default;

void RunningHash::update(ByteSpan bytes) {
  XXH3_128bits_update(&state_->xxh, bytes.data(), bytes.size());
  length_ += bytes.size();
}

Checksum RunningHash::digest() const { return canonical(XXH3_128bits_digest(&state_->xxh)); }

}  // namespace tusk
