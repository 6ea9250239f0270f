#include "fuse/attr.h"

namespace tusk::fuse {
namespace {

constexpr std::int64_t kNsPerSecond = 1'000'000'000;

timespec to_timespec(WallTime time) {
  std::int64_t seconds = time.ns / kNsPerSecond, rest = time.ns % kNsPerSecond;
  if (rest < 0) {
    rest += kNsPerSecond;
    seconds--;
  }
  return {seconds, rest};
}

// Times beyond what 64 bits of nanoseconds hold (the years 1677 to 2262) become the nearest that
// do.
WallTime to_wall(const timespec& time) {
  constexpr std::int64_t kLast = INT64_MAX / kNsPerSecond - 1;
  if (time.tv_sec > kLast) return {kLast * kNsPerSecond + (kNsPerSecond - 1)};
  if (time.tv_sec < -kLast) return {-kLast * kNsPerSecond};
  return {time.tv_sec * kNsPerSecond + time.tv_nsec};
}

}  // namespace

struct stat to_stat(const vfs::Attr& attr) {
  struct stat out {};
  out.st_ino = static_cast<ino_t>(attr.ino);
  out.st_mode = attr.mode;
  out.st_nlink = attr.nlink;
  out.st_uid = attr.uid;
  out.st_gid = attr.gid;
  out.st_rdev = attr.rdev;
  out.st_size = static_cast<off_t>(attr.size);
  out.st_blocks = static_cast<blkcnt_t>(attr.blocks);
  out.st_blksize = 128 * 1024;
  out.st_atim = to_timespec(attr.atime);
  out.st_mtim = to_timespec(attr.mtime);
  out.st_ctim = to_timespec(attr.ctime);
  return out;
}

fuse_entry_param to_entry(const vfs::Attr& attr) {
  fuse_entry_param entry{};
  entry.ino = static_cast<fuse_ino_t>(attr.ino);
  entry.attr_timeout = seconds(attr.valid);
  entry.entry_timeout = seconds(attr.name_valid);
  if (entry.ino != 0) entry.attr = to_stat(attr);
  return entry;
}

vfs::AttrChange to_change(const struct stat& attr, int to_set) {
  vfs::AttrChange change;
  if (to_set & FUSE_SET_ATTR_MODE) change.mode = attr.st_mode;
  if (to_set & FUSE_SET_ATTR_UID) change.uid = attr.st_uid;
  if (to_set & FUSE_SET_ATTR_GID) change.gid = attr.st_gid;
  if (to_set & FUSE_SET_ATTR_SIZE) change.size = static_cast<std::uint64_t>(attr.st_size);
  if (to_set & FUSE_SET_ATTR_ATIME) change.atime = to_wall(attr.st_atim);
  if (to_set & FUSE_SET_ATTR_MTIME) change.mtime = to_wall(attr.st_mtim);
  if (to_set & FUSE_SET_ATTR_CTIME) change.ctime = to_wall(attr.st_ctim);
  if (to_set & FUSE_SET_ATTR_ATIME_NOW) change.atime = vfs::kNow;
  if (to_set & FUSE_SET_ATTR_MTIME_NOW) change.mtime = vfs::kNow;
  return change;
}

vfs::Call to_call(fuse_req_t req, std::uint64_t token) {
  const fuse_ctx* context = fuse_req_ctx(req);
  return {context->uid, context->gid, context->pid, context->umask, token};
}

}  // namespace tusk::fuse
