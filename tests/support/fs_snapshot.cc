#include "support/fs_snapshot.h"

#include <sys/xattr.h>
#include <unistd.h>
#include <xxhash.h>

#include <algorithm>
#include <set>
#include <sstream>

namespace tusk::test {
namespace {

std::string content_hash(const Path& path) {
  const Fd fd = open_file(path, O_RDONLY | O_NOATIME);
  XXH3_state_t* state = ::XXH3_createState();
  ::XXH3_128bits_reset(state);
  std::uint64_t length = 0;
  for (;;) {
    const std::string piece = read_at(fd.get(), length, 1 << 20);
    if (piece.empty()) break;
    ::XXH3_128bits_update(state, piece.data(), piece.size());
    length += piece.size();
  }
  const XXH128_hash_t hash = ::XXH3_128bits_digest(state);
  ::XXH3_freeState(state);
  std::ostringstream text;
  text << " read=" << length << " sum=" << std::hex << hash.high64 << '-' << hash.low64;
  return text.str();
}

std::string symlink_target(const Path& path) {
  std::string buffer(5000, '\0');
  const ssize_t n = ::readlink(path.c_str(), buffer.data(), buffer.size());
  if (n < 0) throw_errno("readlink " + path.string());
  buffer.resize(static_cast<std::size_t>(n));
  return buffer;
}

std::string xattrs_of(const Path& path) {
  std::string list(70'000, '\0'), value(70'000, '\0');
  const ssize_t length = ::llistxattr(path.c_str(), list.data(), list.size());
  if (length < 0) throw_errno("llistxattr " + path.string());
  std::set<std::string> names;
  for (std::size_t i = 0; i < static_cast<std::size_t>(length);) {
    const std::string name = list.data() + i;
    names.insert(name);
    i += name.size() + 1;
  }
  std::ostringstream text;
  for (const std::string& name : names) {
    const ssize_t n = ::lgetxattr(path.c_str(), name.c_str(), value.data(), value.size());
    if (n < 0) throw_errno("lgetxattr " + path.string() + " " + name);
    text << ' ' << name << '=' << n << ':' << std::hex
         << ::XXH3_64bits(value.data(), static_cast<std::size_t>(n)) << std::dec;
  }
  return text.str();
}

std::string described(const Path& path, const SnapshotOptions& options) {
  const struct stat s = stat_of(path);
  std::ostringstream text;
  text << std::oct << (options.attributes ? s.st_mode : s.st_mode & S_IFMT) << std::dec;
  if (options.attributes) text << ' ' << s.st_uid << ':' << s.st_gid << " links=" << s.st_nlink;
  if (!S_ISDIR(s.st_mode)) text << " size=" << s.st_size;
  if (S_ISCHR(s.st_mode) || S_ISBLK(s.st_mode)) text << " rdev=" << s.st_rdev;
  if (S_ISREG(s.st_mode)) text << content_hash(path);
  if (S_ISLNK(s.st_mode)) text << " -> " << symlink_target(path);
  if (options.mtimes) text << " mtime=" << nanoseconds(s.st_mtim);
  if (options.ctimes) text << " ctime=" << nanoseconds(s.st_ctim);
  if (options.xattrs) text << xattrs_of(path);
  if (options.blocks_bounded && S_ISREG(s.st_mode) && s.st_blocks * 512 > s.st_size + (256 << 10))
    text << " takes " << s.st_blocks << " blocks";
  return text.str();
}

void walk(const Path& path, const std::string& name, const SnapshotOptions& options,
          Snapshot& snapshot) {
  snapshot[name] = described(path, options);
  if (!S_ISDIR(stat_of(path).st_mode)) return;
  for (const std::string& child : names_in(path))
    walk(path / child, name.empty() ? child : name + "/" + child, options, snapshot);
}

}  // namespace

Snapshot snapshot_of(const Path& root, const SnapshotOptions& options) {
  Snapshot snapshot;
  walk(root, "", options, snapshot);
  return snapshot;
}

std::vector<std::string> differences(const Snapshot& expected, const Snapshot& actual) {
  std::vector<std::string> found;
  const auto value = [](const Snapshot& snapshot, const std::string& name) {
    const auto it = snapshot.find(name);
    return it == snapshot.end() ? std::string("absent") : it->second;
  };
  std::set<std::string> names;
  for (const auto& [name, description] : expected) names.insert(name);
  for (const auto& [name, description] : actual) names.insert(name);
  for (const std::string& name : names) {
    const std::string a = value(expected, name), b = value(actual, name);
    if (a != b) found.push_back("'" + name + "'\n  expected " + a + "\n  actual   " + b);
    if (found.size() == 20) break;
  }
  return found;
}

}  // namespace tusk::test
