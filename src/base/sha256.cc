#include "tuskfs/base/sha256.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/evp.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <vector>

#include "tuskfs/base/fd.h"

namespace tusk {
namespace {

using Context = std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)>;

Context new_context() {
  Context context(EVP_MD_CTX_new(), &EVP_MD_CTX_free);
  EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr);
  return context;
}

std::string finish(const Context& context) {
  std::array<unsigned char, 32> digest{};
  EVP_DigestFinal_ex(context.get(), digest.data(), nullptr);
  std::string out;
  for (const unsigned char byte : digest) out += fmt::format("{:02x}", byte);
  return out;
}

}  // namespace

std::string sha256_of(std::string_view text) {
  const Context context = new_context();
  EVP_DigestUpdate(context.get(), text.data(), text.size());
  return finish(context);
}

Result<std::string> sha256_of_file(const std::string& path) {
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd) return fail(errno, fmt::format("cannot open {}: {}", path, std::strerror(errno)));
  const Context context = new_context();
  std::vector<char> buffer(1 << 20);
  ssize_t n = 0;
  while ((n = ::read(fd.get(), buffer.data(), buffer.size())) > 0)
    EVP_DigestUpdate(context.get(), buffer.data(), static_cast<std::size_t>(n));
  if (n < 0) return fail(errno, fmt::format("cannot read {}: {}", path, std::strerror(errno)));
  return finish(context);
}

}  // namespace tusk
