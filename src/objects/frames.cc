#include "objects/frames.h"

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "objects/digest.h"
#include "objects/location.h"

namespace tusk::objects {
namespace {

constexpr std::string_view kMagic = "TUSKOBJ\x1a";
constexpr std::array<std::uint8_t, 8> kVersionAndFrame = {0, 0, 0, 1, 0, 1, 0, 0};
constexpr std::size_t kNonceBytes = 12, kTagBytes = 16;

struct ContextEnd {
  void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};
using Context = std::unique_ptr<EVP_CIPHER_CTX, ContextEnd>;

using Bound = std::array<std::uint8_t, 16 + 8 + 1>;

// What a frame is bound to besides its key: swapped frames and cut objects do not open.
Bound bound_to(Uuid object, FrameAt frame) {
  Bound bound;
  std::ranges::copy(object.bytes, bound.begin());
  for (std::size_t i = 0; i < 8; i++)
    bound[16 + i] = static_cast<std::uint8_t>(frame.number >> (56 - 8 * i));
  bound[24] = frame.last ? 1 : 0;
  return bound;
}

// HKDF-SHA256 of one block: extract with the salt, expand with the header and the id.
Sha256 derive(const MasterKey& master, const Header& header, Uuid object) {
  const Sha256 extracted = hmac_sha256(ByteSpan(header).last(32), master.bytes);
  Buffer info(header.begin(), header.end());
  info.insert(info.end(), object.bytes.begin(), object.bytes.end());
  info.push_back(1);
  return hmac_sha256(extracted, info);
}

std::unexpected<Error> no_crypto() { return fail(EIO, "cannot encrypt: OpenSSL refuses"); }

}  // namespace

FrameKey::FrameKey(const MasterKey& master, Uuid object, const Header& header)
    : object_(object), header_(header), key_(derive(master, header, object)) {}

FrameKey::~FrameKey() { OPENSSL_cleanse(key_.data(), key_.size()); }

Result<FrameKey> FrameKey::draw(const MasterKey& master, Uuid object) {
  Header header;
  auto at = std::ranges::copy(kMagic, header.begin()).out;
  at = std::ranges::copy(kVersionAndFrame, at).out;
  at = std::ranges::copy(id_of(master), at).out;
  if (RAND_bytes(&*at, 32) != 1) return no_crypto();
  return FrameKey(master, object, header);
}

Result<FrameKey> FrameKey::of(const MasterKey& master, Uuid object, ByteSpan bytes,
                              const std::string& url) {
  if (bytes.size() != kHeaderBytes || text_of(bytes.first(8)) != kMagic)
    return fail(EIO, fmt::format("{} is damaged: it does not begin as encrypted objects do", url));
  if (!std::ranges::equal(bytes.subspan(8, 8), kVersionAndFrame))
    return fail(EIO, fmt::format("{} is damaged, or of a later TuskFS", url));
  if (!std::ranges::equal(bytes.subspan(16, 16), id_of(master)))
    return fail(EIO, fmt::format("{} is damaged, or encrypted with another key", url));
  Header header;
  std::ranges::copy(bytes, header.begin());
  return FrameKey(master, object, header);
}

Result<void> FrameKey::seal(FrameAt frame, ByteSpan plain, std::span<std::uint8_t> stored) const {
  const Context context(EVP_CIPHER_CTX_new());
  std::uint8_t* const nonce = stored.data();
  std::uint8_t* const sealed = nonce + kNonceBytes;
  const Bound bound = bound_to(object_, frame);
  int n = 0;
  const bool done =
      RAND_bytes(nonce, kNonceBytes) == 1 && context &&
      EVP_EncryptInit_ex(context.get(), EVP_aes_256_gcm(), nullptr, key_.data(), nonce) == 1 &&
      EVP_EncryptUpdate(context.get(), nullptr, &n, bound.data(), bound.size()) == 1 &&
      EVP_EncryptUpdate(context.get(), sealed, &n, plain.data(), static_cast<int>(plain.size())) ==
          1 &&
      EVP_EncryptFinal_ex(context.get(), sealed + plain.size(), &n) == 1 &&
      EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_GET_TAG, kTagBytes, sealed + plain.size()) ==
          1;
  if (!done) return no_crypto();
  return {};
}

bool FrameKey::open(FrameAt frame, ByteSpan stored, std::span<std::uint8_t> plain) const {
  if (stored.size() != plain.size() + kFrameExtraBytes) return false;
  const Context context(EVP_CIPHER_CTX_new());
  const std::uint8_t* const nonce = stored.data();
  const std::uint8_t* const sealed = nonce + kNonceBytes;
  const Bound bound = bound_to(object_, frame);
  std::array<std::uint8_t, kTagBytes> tag;
  std::copy_n(sealed + plain.size(), kTagBytes, tag.begin());
  int n = 0;
  const bool good =
      context &&
      EVP_DecryptInit_ex(context.get(), EVP_aes_256_gcm(), nullptr, key_.data(), nonce) == 1 &&
      EVP_DecryptUpdate(context.get(), nullptr, &n, bound.data(), bound.size()) == 1 &&
      EVP_DecryptUpdate(context.get(), plain.data(), &n, sealed, static_cast<int>(plain.size())) ==
          1 &&
      EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_SET_TAG, kTagBytes, tag.data()) == 1 &&
      EVP_DecryptFinal_ex(context.get(), plain.data() + plain.size(), &n) == 1;
  // What does not open is never handed out.
  if (!good) std::ranges::fill(plain, std::uint8_t{0});
  return good;
}

}  // namespace tusk::objects
