// Digests, and how they are written down.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "tuskfs/base/bytes.h"

namespace tusk::objects {

using Sha256 = std::array<std::uint8_t, 32>;

Sha256 sha256_of(ByteSpan bytes);
Sha256 hmac_sha256(ByteSpan key, ByteSpan bytes);
std::string hex_of(ByteSpan bytes);
// Empty: not hexadecimal.
std::optional<Buffer> from_hex(std::string_view text);
std::optional<Buffer> from_base64(std::string_view text);

// Of what comes in pieces.
class Sha256Stream {
 public:
  Sha256Stream();
  ~Sha256Stream();
  Sha256Stream(const Sha256Stream&) = delete;
  Sha256Stream& operator=(const Sha256Stream&) = delete;
  void add(ByteSpan bytes);
  Sha256 end();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tusk::objects
