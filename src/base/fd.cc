#include "tuskfs/base/fd.h"

#include <cerrno>

namespace tusk {
namespace {

template <class Write>
bool write_pieces(ByteSpan bytes, Write write) {
  while (!bytes.empty()) {
    const ssize_t n = write(bytes);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
  return true;
}

}  // namespace

bool write_all(int fd, ByteSpan bytes) {
  return write_pieces(bytes, [fd](ByteSpan rest) { return ::write(fd, rest.data(), rest.size()); });
}

bool write_all_at(int fd, ByteSpan bytes, std::uint64_t offset) {
  const std::uint64_t end = offset + bytes.size();
  return write_pieces(bytes, [fd, end](ByteSpan rest) {
    return ::pwrite(fd, rest.data(), rest.size(), static_cast<off_t>(end - rest.size()));
  });
}

}  // namespace tusk
