// flock(2) and fcntl(2) locks. What the kernel does not send: the locks of folders, which it keeps
// itself.
#include "fuse/locks.h"

#include <fcntl.h>
#include <sys/file.h>

#include "fuse/reply.h"

namespace tusk::fuse {
namespace {

vfs::LockType type_of(short type) {
  if (type == F_UNLCK) return vfs::LockType::none;
  return type == F_RDLCK ? vfs::LockType::shared : vfs::LockType::exclusive;
}

short type_of(vfs::LockType type) {
  if (type == vfs::LockType::none) return F_UNLCK;
  return type == vfs::LockType::shared ? F_RDLCK : F_WRLCK;
}

vfs::Lock to_lock(const struct flock& from, const fuse_file_info& fi) {
  vfs::Lock lock{.owner = {.is_range = true, .id = fi.lock_owner},
                 .type = type_of(from.l_type),
                 .first = static_cast<std::uint64_t>(from.l_start),
                 .pid = from.l_pid,
                 .via = to_handle(&fi)};
  if (from.l_len > 0) lock.last = static_cast<std::uint64_t>(from.l_start + from.l_len - 1);
  return lock;
}

struct flock to_flock(const vfs::Lock& lock) {
  struct flock out {};
  out.l_type = type_of(lock.type);
  out.l_whence = SEEK_SET;
  out.l_start = static_cast<off_t>(lock.first);
  out.l_len = lock.last == vfs::Lock{}.last ? 0 : static_cast<off_t>(lock.last - lock.first + 1);
  out.l_pid = lock.pid;
  return out;
}

void getlk(fuse_req_t req, fuse_ino_t ino, fuse_file_info* fi, struct flock* wanted) {
  call_verb(req, {vfs::Op::getlk, ino}, [&](vfs::Vfs& vfs, const vfs::Call& call) {
    vfs.getlk(call, to_ino(ino), to_lock(*wanted, *fi),
              reply_with<vfs::Lock>(req, [req](const vfs::Lock& found) {
                const struct flock out = to_flock(found);
                fuse_reply_lock(req, &out);
              }));
  });
}

void setlk(fuse_req_t req, fuse_ino_t ino, fuse_file_info* fi, struct flock* wanted, int waits) {
  call_verb(req, {vfs::Op::setlk, ino}, [&](vfs::Vfs& vfs, const vfs::Call& call) {
    vfs.setlk(call, to_ino(ino), to_lock(*wanted, *fi), waits != 0, reply_ok(req));
  });
}

void flock(fuse_req_t req, fuse_ino_t ino, fuse_file_info* fi, int op) {
  const int wanted = op & ~LOCK_NB;
  vfs::Lock lock = whole_file_unlock(*fi);
  if (wanted != LOCK_UN)
    lock.type = wanted == LOCK_SH ? vfs::LockType::shared : vfs::LockType::exclusive;
  lock.pid = fuse_req_ctx(req)->pid;
  call_verb(req, {vfs::Op::setlk, ino}, [&](vfs::Vfs& vfs, const vfs::Call& call) {
    vfs.setlk(call, to_ino(ino), lock, (op & LOCK_NB) == 0, reply_ok(req));
  });
}

}  // namespace

vfs::Lock whole_file_unlock(const fuse_file_info& fi) {
  return {.owner = {.is_range = false, .id = fi.lock_owner}};
}

vfs::Lock ranges_unlock(const fuse_file_info& fi) {
  return {.owner = {.is_range = true, .id = fi.lock_owner}};
}

void add_lock_ops(fuse_lowlevel_ops& ops) {
  ops.getlk = getlk;
  ops.setlk = setlk;
  ops.flock = flock;
}

}  // namespace tusk::fuse
