#include "objects/keyfile.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/crypto.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "objects/digest.h"
#include "objects/location.h"
#include "tuskfs/base/fd.h"

namespace tusk::objects {
namespace {

constexpr std::size_t kLongest = 128;
constexpr const char* kHint =
    "it must hold 32 random bytes, 64 hexadecimal digits or their base64: "
    "head -c 32 /dev/urandom > KEYFILE; chmod 600 KEYFILE";

Result<Fd> open_keyfile(const std::string& path) {
  // O_NONBLOCK: a pipe is refused below, not waited for.
  Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat status;
  if (!fd || ::fstat(fd.get(), &status) != 0) {
    const int code = errno;
    return fail(code, fmt::format("cannot read the keyfile {}: {}", path, std::strerror(code)));
  }
  if (!S_ISREG(status.st_mode))
    return fail(EINVAL, fmt::format("the keyfile {} is not a regular file", path), kHint);
  if ((status.st_mode & 077) != 0) {
    return fail(EACCES, fmt::format("the keyfile {} may be read or changed by others", path),
                fmt::format("chmod 600 {}", path));
  }
  return fd;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && std::strchr(" \t\r\n", text.back()) != nullptr) text.remove_suffix(1);
  return text;
}

std::optional<Buffer> key_in(ByteSpan content) {
  if (content.size() == 32) return Buffer(content.begin(), content.end());
  const std::string_view text = trimmed(text_of(content));
  auto key = text.size() == 64 ? from_hex(text) : from_base64(text);
  if (!key || key->size() != 32) return std::nullopt;
  return key;
}

}  // namespace

MasterKey::~MasterKey() { OPENSSL_cleanse(bytes.data(), bytes.size()); }

Result<MasterKey> read_keyfile(const std::string& path) {
  TRY_ASSIGN(const Fd fd, open_keyfile(path));
  Buffer content(kLongest + 1);
  const ssize_t n = ::pread(fd.get(), content.data(), content.size(), 0);
  if (n < 0) {
    const int code = errno;
    return fail(code, fmt::format("cannot read the keyfile {}: {}", path, std::strerror(code)));
  }
  auto key = key_in(ByteSpan(content).first(static_cast<std::size_t>(n)));
  OPENSSL_cleanse(content.data(), content.size());
  if (!key) return fail(EINVAL, fmt::format("the keyfile {} holds no key", path), kHint);
  MasterKey master;
  std::ranges::copy(*key, master.bytes.begin());
  OPENSSL_cleanse(key->data(), key->size());
  return master;
}

KeyId id_of(const MasterKey& key) {
  const Sha256 sum = hmac_sha256(key.bytes, bytes_of("tuskfs key id"));
  KeyId id;
  std::copy_n(sum.begin(), id.size(), id.begin());
  return id;
}

}  // namespace tusk::objects
