#include "support/fs_model.h"

#include <sys/mman.h>
#include <sys/xattr.h>
#include <unistd.h>
#include <xxhash.h>

#include <algorithm>
#include <cstring>

namespace tusk::test {
namespace {

std::string outcome(long result) {
  if (result < 0) return ::strerrorname_np(errno);
  return std::to_string(result);
}

std::string digest(std::string_view bytes) {
  return std::to_string(bytes.size()) + " bytes " +
         std::to_string(::XXH3_64bits(bytes.data(), bytes.size()));
}

// A time before 2010, with nanoseconds: recognised as set by a step.
constexpr std::int64_t kSetTimesEnd = 1'262'304'000'000'000'000;
std::int64_t time_from(std::uint64_t seed) {
  return static_cast<std::int64_t>(seed % static_cast<std::uint64_t>(kSetTimesEnd));
}

constexpr std::uint64_t kLongestXattr = 300;  // several fit into a block of ext4

}  // namespace

std::string World::take(const Step& step) {
  switch (step.act) {
    case Act::open:
      return open(step);
    case Act::stat:
      return stat(step);
    case Act::list:
      return list(step);
    case Act::set_xattr:
    case Act::get_xattr:
    case Act::remove_xattr:
      return take_on_xattr(step);
    case Act::close:
    case Act::read:
    case Act::write:
    case Act::write_at:
    case Act::seek:
    case Act::truncate_handle:
    case Act::allocate:
    case Act::copy_range:
    case Act::map_write:
    case Act::sync:
      return take_on_handle(step);
    default:
      return take_on_path(step);
  }
}

std::string World::take_on_path(const Step& step) {
  const Path path = at(step.path), other = at(step.other);
  const char* p = path.c_str();
  switch (step.act) {
    case Act::truncate:
      return outcome(::truncate(p, static_cast<off_t>(step.offset)));
    case Act::rename:
      return outcome(
          ::renameat2(AT_FDCWD, p, AT_FDCWD, other.c_str(), static_cast<unsigned>(step.flags)));
    case Act::link:
      return outcome(::link(p, other.c_str()));
    case Act::unlink:
      return outcome(::unlink(p));
    case Act::mkdir:
      return outcome(::mkdir(p, step.mode));
    case Act::rmdir:
      return outcome(::rmdir(p));
    case Act::symlink:
      return outcome(::symlink(step.other.c_str(), p));
    case Act::mkfifo:
      return outcome(::mkfifo(p, step.mode));
    case Act::chmod:
      return outcome(::chmod(p, step.mode));
    case Act::chown:
      return outcome(
          ::lchown(p, static_cast<uid_t>(step.seed % 5), static_cast<gid_t>(step.seed / 5 % 5)));
    case Act::set_times: {
      const std::int64_t ns = time_from(step.seed);
      const timespec times[2] = {{ns / 1'000'000'000, ns % 1'000'000'000},
                                 {ns / 1'000'000'000, ns % 1'000'000'000}};
      return outcome(::utimensat(AT_FDCWD, p, times, AT_SYMLINK_NOFOLLOW));
    }
    case Act::readlink: {
      char buffer[4096];
      const ssize_t n = ::readlink(p, buffer, sizeof buffer);
      return n < 0 ? outcome(n) : std::string(buffer, static_cast<std::size_t>(n));
    }
    default:
      return "not a step on a path";
  }
}

std::string World::take_on_xattr(const Step& step) {
  const Path path = at(step.path);
  const std::string name =
      (step.seed % 4 == 0 ? "trusted." : "user.") + std::string(1, "xyz"[step.seed / 4 % 3]);
  if (step.act == Act::set_xattr) {
    const std::string value = pattern(step.size % kLongestXattr, step.seed);
    return outcome(::lsetxattr(path.c_str(), name.c_str(), value.data(), value.size(), step.flags));
  }
  if (step.act == Act::remove_xattr) return outcome(::lremovexattr(path.c_str(), name.c_str()));
  char buffer[kLongestXattr];
  const ssize_t n = ::lgetxattr(path.c_str(), name.c_str(), buffer, sizeof buffer);
  return n < 0 ? outcome(n) : digest({buffer, static_cast<std::size_t>(n)});
}

std::string World::take_on_handle(const Step& step) {
  Fd& slot = slots_[step.slot];
  if (!slot) return "closed";
  const int fd = slot.get();
  const auto offset = static_cast<off_t>(step.offset);
  const auto size = static_cast<off_t>(step.size);
  switch (step.act) {
    case Act::close:
      return outcome(::close(slot.release()));
    case Act::read:
      return read(step);
    case Act::write: {
      const std::string bytes = pattern(step.size, step.seed);
      return outcome(::write(fd, bytes.data(), bytes.size()));
    }
    case Act::write_at: {
      const std::string bytes = pattern(step.size, step.seed);
      return outcome(::pwrite(fd, bytes.data(), bytes.size(), offset));
    }
    case Act::seek:
      return outcome(::lseek(fd, offset, SEEK_SET));
    case Act::truncate_handle:
      return outcome(::ftruncate(fd, offset));
    case Act::allocate:
      return outcome(::fallocate(fd, step.flags, offset, size));
    case Act::copy_range:
      return copy_range(step);
    case Act::map_write:
      return map_write(step);
    case Act::sync:
      return outcome(::fsync(fd));
    default:
      return "not a step on a handle";
  }
}

std::string World::open(const Step& step) {
  // A FIFO must not block the walk.
  Fd fd(::open(at(step.path).c_str(), step.flags | O_NONBLOCK | O_CLOEXEC, step.mode | S_IRUSR));
  if (!fd) return outcome(-1);
  slots_[step.slot] = std::move(fd);
  return "opened";
}

std::string World::read(const Step& step) {
  std::string bytes(step.size, '\0');
  const ssize_t n =
      ::pread(slots_[step.slot].get(), bytes.data(), bytes.size(), static_cast<off_t>(step.offset));
  if (n < 0) return outcome(n);
  bytes.resize(static_cast<std::size_t>(n));
  return digest(bytes);
}

std::string World::map_write(const Step& step) {
  const int fd = slots_[step.slot].get();
  const struct stat s = stat_of(fd);
  if (!S_ISREG(s.st_mode) || s.st_size == 0) return "nothing to map";
  const auto length = static_cast<std::size_t>(s.st_size);
  void* map = ::mmap(nullptr, length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (map == MAP_FAILED) return outcome(-1);
  const std::size_t offset = step.offset % length;
  const std::string bytes = pattern(std::min<std::size_t>(step.size, length - offset), step.seed);
  std::memcpy(static_cast<char*>(map) + offset, bytes.data(), bytes.size());
  return outcome(::munmap(map, length));
}

std::string World::copy_range(const Step& step) {
  const Fd& target = slots_[step.other_slot];
  if (!target) return "closed";
  auto in = static_cast<off64_t>(step.offset), out = static_cast<off64_t>(step.other_offset);
  std::size_t copied = 0;
  while (copied < step.size) {
    const ssize_t n =
        ::copy_file_range(slots_[step.slot].get(), &in, target.get(), &out, step.size - copied, 0);
    if (n < 0) return outcome(n);
    if (n == 0) break;
    copied += static_cast<std::size_t>(n);
  }
  return std::to_string(copied);
}

std::string World::stat(const Step& step) {
  struct stat s {};
  const Path path = at(step.path);
  const int result = step.seed % 2 == 0 ? ::lstat(path.c_str(), &s) : ::stat(path.c_str(), &s);
  if (result != 0) return outcome(result);
  std::string text = std::to_string(s.st_mode) + " " + std::to_string(s.st_uid) + ":" +
                     std::to_string(s.st_gid) + " links " + std::to_string(s.st_nlink);
  if (!S_ISDIR(s.st_mode)) text += " size " + std::to_string(s.st_size);
  return text;
}

std::string World::list(const Step& step) {
  struct stat s {};
  if (::lstat(at(step.path).c_str(), &s) != 0) return outcome(-1);
  if (!S_ISDIR(s.st_mode)) return "no folder";
  std::string text;
  for (const std::string& name : names_in(at(step.path))) text += name + " ";
  return text;
}

void World::close_all() {
  for (Fd& slot : slots_) slot.reset();
}

Snapshot World::snapshot() const {
  Snapshot snapshot = snapshot_of(root_, {.mtimes = false});
  for (auto& [name, description] : snapshot) {
    const Path path = name.empty() ? root_ : root_ / name;
    // Whether writing through a FIFO moves its times is each filesystem's own choice.
    if (S_ISFIFO(stat_of(path).st_mode)) continue;
    const std::int64_t mtime = times_of(path).mtime;
    if (mtime < kSetTimesEnd) description += " mtime=" + std::to_string(mtime);
  }
  return snapshot;
}

}  // namespace tusk::test
