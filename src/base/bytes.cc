#include "tuskfs/base/bytes.h"

#include <xxhash.h>

#include <cstring>

namespace tusk {

Checksum checksum_of(ByteSpan content) {
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, XXH3_128bits(content.data(), content.size()));
  Checksum sum;
  static_assert(sizeof canonical.digest == sizeof sum.bytes);
  std::memcpy(sum.bytes.data(), canonical.digest, sizeof canonical.digest);
  return sum;
}

}  // namespace tusk
