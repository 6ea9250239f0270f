#include "objects/digest.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

#include <new>

namespace tusk::objects {

struct Sha256Stream::State {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  State() = default;
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() { EVP_MD_CTX_free(context); }
};

// The digest is built in: it fails for want of memory only.
Sha256Stream::Sha256Stream() : state_(std::make_unique<State>()) {
  if (state_->context == nullptr || EVP_DigestInit_ex(state_->context, EVP_sha256(), nullptr) != 1)
    throw std::bad_alloc();
}
Sha256Stream::~Sha256Stream() = default;

void Sha256Stream::add(ByteSpan bytes) {
  EVP_DigestUpdate(state_->context, bytes.data(), bytes.size());
}

Sha256 Sha256Stream::end() {
  Sha256 sum;
  EVP_DigestFinal_ex(state_->context, sum.data(), nullptr);
  return sum;
}

Sha256 sha256_of(ByteSpan bytes) {
  Sha256 sum;
  SHA256(bytes.data(), bytes.size(), sum.data());
  return sum;
}

Sha256 hmac_sha256(ByteSpan key, ByteSpan bytes) {
  Sha256 sum;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), bytes.data(), bytes.size(),
       sum.data(), nullptr);
  return sum;
}

std::string hex_of(ByteSpan bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const std::uint8_t byte : bytes) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

std::optional<Buffer> from_hex(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789abcdefABCDEF";
  if (text.size() % 2 != 0) return std::nullopt;
  Buffer bytes(text.size() / 2, 0);
  for (std::size_t i = 0; i < text.size(); i++) {
    const std::size_t digit = kDigits.find(text[i]);
    if (digit == std::string_view::npos) return std::nullopt;
    bytes[i / 2] = static_cast<std::uint8_t>(bytes[i / 2] << 4 | (digit < 16 ? digit : digit - 6));
  }
  return bytes;
}

std::optional<Buffer> from_base64(std::string_view text) {
  if (text.empty() || text.size() % 4 != 0) return std::nullopt;
  Buffer bytes(text.size() / 4 * 3);
  const int n = EVP_DecodeBlock(bytes.data(), reinterpret_cast<const unsigned char*>(text.data()),
                                static_cast<int>(text.size()));
  if (n < 0) return std::nullopt;
  // The padding was decoded as zeros.
  const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
  bytes.resize(static_cast<std::size_t>(n) - padding);
  return bytes;
}

}  // namespace tusk::objects
