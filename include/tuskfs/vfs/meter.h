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
  getlk,
  setlk,
};
inline constexpr std::array<std::string_view, 32> kOpNames = {
    "lookup", "getattr",  "setattr",  "readlink",  "mknod",       "mkdir",     "symlink",
    "unlink", "rmdir",    "rename",   "link",      "open",        "create",    "read",
    "write",  "flush",    "fsync",    "poll",      "opendir",     "readdir",   "fsyncdir",
    "statfs", "setxattr", "getxattr", "listxattr", "removexattr", "fallocate", "copy_file_range",
    "clone",  "lseek",    "getlk",    "setlk"};
static_assert(kOpNames.size() == static_cast<std::size_t>(Op::setlk) + 1);

// Whether an operation that succeeds changes the tree.
constexpr bool changes_tree(Op op) {
  switch (op) {
    case Op::setattr:
    case Op::mknod:
    case Op::mkdir:
    case Op::symlink:
    case Op::unlink:
    case Op::rmdir:
    case Op::rename:
    case Op::link:
    case Op::create:
    case Op::write:
    case Op::setxattr:
    case Op::removexattr:
    case Op::fallocate:
    case Op::copy_file_range:
    case Op::clone:
      return true;
    default:
      return false;
  }
}

// What an operation that memory cannot answer waits for: a load, a commit or room for one; or that
// others who may write have done so.
enum class WaitFor : std::uint8_t { database, lock };
struct Waits {
  std::chrono::nanoseconds database{}, lock{};
};

struct OpFacts {
  // From when the request was taken up until its answer was with the kernel.
  Histogram time;
  Histogram waited;          // of those that memory could not answer: until the answer was there
  Histogram database, lock;  // of these: how much of it was for either; those without are left out
  Histogram reply;           // handing the answer to the kernel
  std::map<int, std::uint64_t> errors;  // by errno
};

class Meter {
 public:
  OpFacts& of(Op op) { return facts_[static_cast<std::size_t>(op)]; }
  const OpFacts& of(Op op) const { return facts_[static_cast<std::size_t>(op)]; }
  static std::string_view name_of(Op op) { return kOpNames[static_cast<std::size_t>(op)]; }

  std::uint64_t changes() const;  // operations that changed the tree

  // What a call (by its token) waited for, noted while it waits and taken when it is answered.
  void note_wait(std::uint64_t token, WaitFor what, std::chrono::nanoseconds time) {
    Waits& waits = waits_[token];
    (what == WaitFor::lock ? waits.lock : waits.database) += time;
  }
  Waits take_waits(std::uint64_t token) {
    const auto found = waits_.extract(token);
    return found ? found.mapped() : Waits{};
  }

  AccessLog accesses;

 private:
  std::array<OpFacts, kOpNames.size()> facts_;
  std::map<std::uint64_t, Waits> waits_;
};

inline std::uint64_t Meter::changes() const {
  std::uint64_t all = 0;
  for (std::size_t i = 0; i < facts_.size(); i++) {
    if (!changes_tree(static_cast<Op>(i))) continue;
    all += facts_[i].time.count();
    for (const auto& [code, count] : facts_[i].errors) all -= count;
  }
  return all;
}

}  // namespace tusk::vfs
