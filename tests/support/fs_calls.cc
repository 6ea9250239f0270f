#include "support/fs_calls.h"

#include <dirent.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <memory>
#include <system_error>
#include <thread>

namespace tusk::test {

void throw_errno(const std::string& what) {
  throw std::system_error(errno, std::generic_category(), what);
}

int errno_of_open(const Path& path, int flags, mode_t mode) {
  const Fd fd(::open(path.c_str(), flags | O_CLOEXEC, mode));
  return fd ? 0 : errno;
}

Fd open_file(const Path& path, int flags, mode_t mode) {
  Fd fd(::open(path.c_str(), flags | O_CLOEXEC, mode));
  if (!fd) throw_errno("open " + path.string());
  return fd;
}

void write_at(int fd, std::string_view bytes, std::uint64_t offset) {
  while (!bytes.empty()) {
    const ssize_t n = ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (n <= 0) throw_errno("pwrite");
    bytes.remove_prefix(static_cast<std::size_t>(n));
    offset += static_cast<std::uint64_t>(n);
  }
}

void append_to(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n <= 0) throw_errno("write");
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
}

std::string read_at(int fd, std::uint64_t offset, std::size_t size) {
  std::string bytes(size, '\0');
  std::size_t got = 0;
  while (got < size) {
    const ssize_t n = ::pread(fd, bytes.data() + got, size - got, static_cast<off_t>(offset + got));
    if (n < 0) throw_errno("pread");
    if (n == 0) break;
    got += static_cast<std::size_t>(n);
  }
  bytes.resize(got);
  return bytes;
}

void put(const Path& path, std::string_view bytes, mode_t mode) {
  const Fd fd = open_file(path, O_WRONLY | O_CREAT | O_TRUNC, mode);
  append_to(fd.get(), bytes);
}

std::string get(const Path& path) {
  const Fd fd = open_file(path, O_RDONLY);
  std::string bytes;
  for (;;) {
    std::string piece = read_at(fd.get(), bytes.size(), 1 << 20);
    if (piece.empty()) return bytes;
    bytes += piece;
  }
}

void make_folder(const Path& path, mode_t mode) {
  if (::mkdir(path.c_str(), mode) != 0) throw_errno("mkdir " + path.string());
}

struct stat stat_of(const Path& path) {
  struct stat result {};
  if (::lstat(path.c_str(), &result) != 0) throw_errno("lstat " + path.string());
  return result;
}

struct stat stat_of(int fd) {
  struct stat result {};
  if (::fstat(fd, &result) != 0) throw_errno("fstat");
  return result;
}

mode_t permissions_of(const Path& path) { return stat_of(path).st_mode & 07777; }

bool present(const Path& path) {
  struct stat result {};
  return ::lstat(path.c_str(), &result) == 0;
}

std::int64_t nanoseconds(const timespec& time) {
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

Times times_of(const Path& path) {
  const struct stat s = stat_of(path);
  return {nanoseconds(s.st_atim), nanoseconds(s.st_mtim), nanoseconds(s.st_ctim)};
}

namespace {

timespec timespec_of(std::int64_t ns) {
  std::int64_t seconds = ns / 1'000'000'000;
  std::int64_t rest = ns % 1'000'000'000;
  if (rest < 0) {
    rest += 1'000'000'000;
    seconds--;
  }
  return {seconds, rest};
}

}  // namespace

void set_times(const Path& path, std::int64_t atime_ns, std::int64_t mtime_ns) {
  const timespec times[2] = {timespec_of(atime_ns), timespec_of(mtime_ns)};
  if (::utimensat(AT_FDCWD, path.c_str(), times, AT_SYMLINK_NOFOLLOW) != 0)
    throw_errno("utimensat " + path.string());
}

void let_clock_tick() { std::this_thread::sleep_for(std::chrono::milliseconds(15)); }

std::vector<std::string> names_in(const Path& folder) {
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(::opendir(folder.c_str()), &::closedir);
  if (!stream) throw_errno("opendir " + folder.string());
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* entry = ::readdir(stream.get())) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(name);
  }
  if (errno != 0) throw_errno("readdir " + folder.string());
  std::sort(names.begin(), names.end());
  return names;
}

std::string pattern(std::size_t size, std::uint64_t seed) {
  std::string bytes(size, '\0');
  std::uint64_t state = seed * 0x9e3779b97f4a7c15u + 1;
  for (std::size_t i = 0; i < size; i += sizeof state) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    std::memcpy(bytes.data() + i, &state, std::min(sizeof state, size - i));
  }
  return bytes;
}

std::string zeros(std::size_t size) { return std::string(size, '\0'); }

}  // namespace tusk::test
