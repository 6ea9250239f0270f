// The bytes to and from /dev/fuse. They pass through here for one flag: with
// FUSE_HANDLE_KILLPRIV_V2 the kernel leaves set-id bits and capabilities to the filesystem; without
// it, it asks for security.capability before every write(2). libfuse 3.14 has no name for it.
#include <linux/fuse.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cstring>

#include "fuse/bridge.h"

namespace tusk::fuse {
namespace {

ssize_t read_request(int fd, void* buffer, std::size_t size, void* userdata) {
  const ssize_t got = ::read(fd, buffer, size);
  auto& bridge = *static_cast<Bridge*>(userdata);
  constexpr auto kInitBytes = static_cast<ssize_t>(sizeof(fuse_in_header) + 16);
  if (bridge.init_unique != 0 || got < kInitBytes) return got;
  fuse_in_header header;
  std::memcpy(&header, buffer, sizeof header);
  if (header.opcode != FUSE_INIT) return got;
  std::uint32_t flags;  // major, minor, max_readahead, flags
  std::memcpy(&flags, static_cast<const char*>(buffer) + sizeof header + 12, sizeof flags);
  bridge.init_unique = header.unique;
  bridge.kernel_kills_no_privileges = flags & FUSE_HANDLE_KILLPRIV_V2;
  return got;
}

ssize_t write_reply(int fd, iovec* pieces, int count, void* userdata) {
  auto& bridge = *static_cast<Bridge*>(userdata);
  if (bridge.kernel_kills_no_privileges && count == 2) {
    const auto* header = static_cast<const fuse_out_header*>(pieces[0].iov_base);
    if (header->unique == bridge.init_unique && header->error == 0) {
      static_cast<fuse_init_out*>(pieces[1].iov_base)->flags |= FUSE_HANDLE_KILLPRIV_V2;
      bridge.kernel_kills_no_privileges = false;
    }
  }
  return ::writev(fd, pieces, count);
}

}  // namespace

fuse_custom_io make_io() {
  fuse_custom_io io{};
  io.read = read_request;
  io.writev = write_reply;
  return io;
}

}  // namespace tusk::fuse
