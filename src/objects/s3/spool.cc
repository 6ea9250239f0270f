#include "objects/s3/spool.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

namespace tusk::objects {
namespace {

// Not all filesystems know files without a name.
Fd open_nameless(const std::string& folder) {
  Fd fd(::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (fd || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL)) return fd;
  std::string name = folder + "/tuskfs-XXXXXX";
  fd = Fd(::mkostemp(name.data(), O_CLOEXEC));
  if (fd) ::unlink(name.c_str());
  return fd;
}

}  // namespace

Result<Spool> Spool::open(const std::string& folder) {
  std::error_code broken;
  std::filesystem::create_directories(std::filesystem::path(folder).parent_path(), broken);
  ::mkdir(folder.c_str(), 0700);
  Spool spool(open_nameless(folder), folder);
  if (!spool.fd_) return spool.failed("make a file in");
  return spool;
}

std::unexpected<Error> Spool::failed(const char* what) const {
  const int code = errno;
  return fail(code,
              fmt::format("cannot {} the cache folder {}: {}", what, folder_, std::strerror(code)));
}

Result<void> Spool::write(std::uint64_t offset, ByteSpan bytes) const {
  if (!write_all_at(fd_.get(), bytes, offset)) return failed("write to");
  return {};
}

Result<void> Spool::read(std::uint64_t offset, std::span<std::uint8_t> into) const {
  while (!into.empty()) {
    const ssize_t n = ::pread(fd_.get(), into.data(), into.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return failed("read from");
    if (n == 0) break;
    into = into.subspan(static_cast<std::size_t>(n));
    offset += static_cast<std::uint64_t>(n);
  }
  std::memset(into.data(), 0, into.size());
  return {};
}

Result<void> Spool::cut(std::uint64_t size) const {
  if (::ftruncate(fd_.get(), static_cast<off_t>(size)) != 0) return failed("size a file in");
  return {};
}

}  // namespace tusk::objects
