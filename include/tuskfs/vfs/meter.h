// What a mount was asked, how that ended and how long it took. On the core thread.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string_view>

#include "tuskfs/base/histogram.h"
#include "tuskfs/vfs/access_log.h"

namespace tusk::vfs {

enum class Op : std::uint8_t {
  lookup,
  getattr,
  setattr,
  readlink,
  mknod,
  mkdir,
  symlink,
  unlink,
  rmdir,
  rename,
  link,
  open,
  create,
  read,
  write,
  flush,
  fsync,
  poll,
  opendir,
  readdir,
  fsyncdir,
  statfs,
  setxattr,
  getxattr,
  listxattr,
  removexattr,
  fallocate,
  copy_file_range,
  clone,
  lseek,
};
inline constexpr std::array<std::string_view, 30> kOpNames = {
    "lookup",    "getattr",     "setattr",   "readlink",        "mknod",    "mkdir",
    "symlink",   "unlink",      "rmdir",     "rename",          "link",     "open",
    "create",    "read",        "write",     "flush",           "fsync",    "poll",
    "opendir",   "readdir",     "fsyncdir",  "statfs",          "setxattr", "getxattr",
    "listxattr", "removexattr", "fallocate", "copy_file_range", "clone",    "lseek"};
static_assert(kOpNames.size() == static_cast<std::size_t>(Op::lseek) + 1);

struct OpFacts {
  // From when the request was taken up until its answer was with the kernel.
  Histogram time;
  Histogram waited;  // of those that memory could not answer: until the answer was there
  Histogram reply;   // handing the answer to the kernel
  std::map<int, std::uint64_t> errors;  // by errno
};

class Meter {
 public:
  OpFacts& of(Op op) { return facts_[static_cast<std::size_t>(op)]; }
  const OpFacts& of(Op op) const { return facts_[static_cast<std::size_t>(op)]; }
  static std::string_view name_of(Op op) { return kOpNames[static_cast<std::size_t>(op)]; }

  AccessLog accesses;

 private:
  std::array<OpFacts, kOpNames.size()> facts_;
};

}  // namespace tusk::vfs
