// System calls as tests say them: values in, values out; what must not fail throws.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/types.h>

#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "tuskfs/base/fd.h"

namespace tusk::test {

using Path = std::filesystem::path;

// The errno of a call that may fail, else 0: EXPECT_EQ(errno_of(::rmdir(path)), ENOTEMPTY).
template <class T>
int errno_of(T result) {
  return result < 0 ? errno : 0;
}
int errno_of_open(const Path& path, int flags, mode_t mode = 0644);

[[noreturn]] void throw_errno(const std::string& what);

Fd open_file(const Path& path, int flags, mode_t mode = 0644);
void write_at(int fd, std::string_view bytes, std::uint64_t offset);
void append_to(int fd, std::string_view bytes);
std::string read_at(int fd, std::uint64_t offset, std::size_t size);

void put(const Path& path, std::string_view bytes, mode_t mode = 0644);  // replaces what is there
std::string get(const Path& path);
void make_folder(const Path& path, mode_t mode = 0755);

struct stat stat_of(const Path& path);  // of a symlink itself
struct stat stat_of(int fd);
mode_t permissions_of(const Path& path);  // the lower twelve bits
bool present(const Path& path);           // also a dangling symlink

std::int64_t nanoseconds(const timespec& time);
struct Times {
  std::int64_t atime, mtime, ctime;
};
Times times_of(const Path& path);
void set_times(const Path& path, std::int64_t atime_ns, std::int64_t mtime_ns);
// Returns once the clock that stamps files has moved on: the kernel's is as coarse as its tick.
void let_clock_tick();

std::vector<std::string> names_in(const Path& folder);  // sorted, without "." and ".."

// Bytes that differ from place to place and seed to seed, and do not compress to nothing.
std::string pattern(std::size_t size, std::uint64_t seed = 1);
std::string zeros(std::size_t size);

}  // namespace tusk::test
