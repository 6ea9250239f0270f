// One handler per request: unpack, one call of the Vfs, answer.

#include <algorithm>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "fuse/directory.h"
#include "fuse/locks.h"
#include "fuse/reply.h"
#include "tuskfs/base/log.h"
#include "tuskfs/fuse/clone.h"

namespace tusk::fuse {
namespace {

constexpr unsigned kMaxWrite = 1 << 20;

void init(void* userdata, fuse_conn_info* conn) {
  const auto& bridge = *static_cast<const Bridge*>(userdata);
  const auto want = [conn](unsigned capability) { conn->want |= conn->capable & capability; };
  want(FUSE_CAP_ATOMIC_O_TRUNC | FUSE_CAP_DONT_MASK | FUSE_CAP_POSIX_ACL |
       FUSE_CAP_PARALLEL_DIROPS | FUSE_CAP_ASYNC_DIO | FUSE_CAP_ASYNC_READ | FUSE_CAP_READDIRPLUS |
       FUSE_CAP_READDIRPLUS_AUTO | FUSE_CAP_CACHE_SYMLINKS | FUSE_CAP_IOCTL_DIR);
  // Requests come as memory; the tree changes only through this mount.
  conn->want &=
      ~static_cast<unsigned>(FUSE_CAP_SPLICE_READ | FUSE_CAP_SPLICE_WRITE | FUSE_CAP_SPLICE_MOVE |
                             FUSE_CAP_AUTO_INVAL_DATA | FUSE_CAP_WRITEBACK_CACHE);
  // One of the two ways of leaving set-id bits to the filesystem: io.cc has the better one.
  if (bridge.kernel_kills_no_privileges)
    conn->want &= ~static_cast<unsigned>(FUSE_CAP_HANDLE_KILLPRIV);
  conn->max_write = kMaxWrite;
  conn->max_readahead = std::max(conn->max_readahead, kMaxWrite);
  conn->max_background = 128;
  conn->congestion_threshold = 96;
  conn->time_gran = 1;
}

void lookup(fuse_req_t req, fuse_ino_t parent, const char* name) {
  call_verb(req, {vfs::Op::lookup, parent, name}, [&](vfs::Vfs& vfs, const vfs::Call& call) {
    vfs.lookup(call, to_ino(parent), name, reply_entry(req));
  });
}

void forget(fuse_req_t req, fuse_ino_t ino, std::uint64_t count) {
  bridge_of(req).vfs.forget(to_ino(ino), count);
  fuse_reply_none(req);
}

void forget_multi(fuse_req_t req, std::size_t count, fuse_forget_data* forgets) {
  for (std::size_t i = 0; i < count; i++) {
    bridge_of(req).vfs.forget(to_ino(forgets[i].ino), forgets[i].nlookup);
  }
  fuse_reply_none(req);
}

void getattr(fuse_req_t req, fuse_ino_t ino, fuse_file_info*) {
  call_verb(req, {vfs::Op::getattr, ino}, [&](vfs::Vfs& vfs, const vfs::Call& call) {
    vfs.getattr(call, to_ino(ino), reply_attr(req));
  });
}

void setattr(fuse_req_t req, fuse_ino_t ino, struct stat* attr, int to_set, fuse_file_info*) {
  call_verb(req, {vfs::Op::setattr, ino}, [&](vfs::Vfs& vfs, const vfs::Call& call) {
    vfs.setattr(call, to_ino(ino), to_change(*attr, to_set), reply_attr(req));
  });
}

void readlink(fuse_req_t req, fuse_ino_t ino) {
  call_verb(req, {vfs::Op::readlink, ino}, [&](vfs::Vfs& vfs, const vfs::Call& call) {
    vfs.readlink(call, to_ino(ino),
                 reply_with<std::string_view>(req, [req](std::string_view target) {
                   fuse_reply_readlink(req, std::string(target).c_str());
                 }));
  });
}

void mknod(fuse_req_t req, fuse_ino_t parent, const char* name, mode_t mode, dev_t rdev) {
  call_verb(req, {vfs::Op::mknod, parent, name}, [&](vfs::Vfs& vfs, const vfs::Call& call) {
    vfs.mknod(call, to_ino(parent), name, mode, rdev, reply_entry(req));
  });
}

void mkdir(fuse_req_t req, fuse_ino_t parent, const char* name, mode_t mode) {
  call_verb(req, {vfs::Op::mkdir, parent, name}, [&](vfs::Vfs& vfs, const vfs::Call& call) {
    vfs.mkdir(call, to_ino(parent), name, mode, reply_entry(req));
  });
}

void symlink(fuse_req_t req, const char* target, fuse_ino_t parent, const char* name) {
  call_verb(req, {vfs::Op::symlink, parent, name}, [&](vfs::Vfs& vfs, const vfs::Call& call) {
    vfs.symlink(call, to_ino(parent), name, target, reply_entry(req));
  });
}

void unlink(fuse_req_t req, fuse_ino_t parent, const char* name) {
  call_verb(req, {vfs::Op::unlink, parent, name}, [&](vfs::Vfs& vfs, const vfs::Call& call) {
    vfs.unlink(call, to_ino(parent), name, reply_ok(req));
  });
}

void rmdir(fuse_req_t req, fuse_ino_t parent, const char* name) {
  call_verb(req, {vfs::Op::rmdir, parent, name}, [&](vfs::Vfs& vfs, const vfs::Call& call) {
    vfs.rmdir(call, to_ino(parent), name, reply_ok(req));
  });
}

void rename(fuse_req_t req, fuse_ino_t parent, const char* name, fuse_ino_t new_parent,
            const char* new_name, unsigned flags) {
  call_verb(req, {vfs::Op::rename, parent, name}, [&](vfs::Vfs& vfs, const vfs::Call& call) {
    vfs.rename(call, to_ino(parent), name, to_ino(new_parent), new_name, flags, reply_ok(req));
  });
}

void link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t new_parent, const char* new_name) {
  call_verb(req, {vfs::Op::link, new_parent, new_name}, [&](vfs::Vfs& vfs, const vfs::Call& call) {
    vfs.link(call, to_ino(ino), to_ino(new_parent), new_name, reply_entry(req));
  });
}

void tell(const vfs::Opened& opened, const vfs::Vfs& owner, fuse_file_info& info) {
  info.fh = static_cast<std::uint64_t>(opened.handle);
  info.keep_cache = opened.lasting;
  info.direct_io = opened.direct;
  info.noflush = !opened.flush && !owner.wants_flush();
}

void open(fuse_req_t req, fuse_ino_t ino, fuse_file_info* fi) {
  call_verb(req, {vfs::Op::open, ino}, [&](vfs::Vfs& vfs, const vfs::Call& call) {
    vfs.open(
        call, to_ino(ino), fi->flags,
        reply_with<vfs::Opened>(req, [req, ino, info = *fi](const vfs::Opened& opened) mutable {
          vfs::Vfs& owner = bridge_of(req).vfs;
          tell(opened, owner, info);
          if (fuse_reply_open(req, &info) != 0) owner.release(to_ino(ino), opened.handle);
        }));
  });
}

void create(fuse_req_t req, fuse_ino_t parent, const char* name, mode_t mode, fuse_file_info* fi) {
  call_verb(req, {vfs::Op::create, parent, name}, [&](vfs::Vfs& vfs, const vfs::Call& call) {
    vfs.create(
        call, to_ino(parent), name, mode, fi->flags,
        reply_with<vfs::Created>(req, [req, info = *fi](const vfs::Created& created) mutable {
          vfs::Vfs& owner = bridge_of(req).vfs;
          tell(created.opened, owner, info);
          const fuse_entry_param entry = to_entry(created.entry.attr);
          if (fuse_reply_create(req, &entry, &info) == 0) return;
          owner.release(created.entry.attr.ino, created.opened.handle);
          owner.forget(created.entry.attr.ino, 1);
        }));
  });
}

void read(fuse_req_t req, fuse_ino_t ino, std::size_t size, off_t offset, fuse_file_info* fi) {
  call_verb(req, {vfs::Op::read, ino}, [&](vfs::Vfs& vfs, const vfs::Call& call) {
    vfs.read(call, to_ino(ino), to_handle(fi), static_cast<std::uint64_t>(offset), size,
             reply_with<vfs::Content>(req, [req](const vfs::Content& content) {
               std::vector<iovec> pieces;
               pieces.reserve(content.pieces.size());
               for (const ByteSpan piece : content.pieces) {
                 pieces.push_back({const_cast<std::uint8_t*>(piece.data()), piece.size()});
               }
               fuse_reply_iov(req, pieces.data(), static_cast<int>(pieces.size()));
             }));
  });
}

void write(fuse_req_t req, fuse_ino_t ino, const char* bytes, std::size_t size, off_t offset,
           fuse_file_info* fi) {
  call_verb(req, {vfs::Op::write, ino}, [&](vfs::Vfs& vfs, const vfs::Call& call) {
    const ByteSpan data(reinterpret_cast<const std::uint8_t*>(bytes), size);
    // A page written back from a map goes to its own place, also when the kernel lends it a handle
    // that appends.
    const Handle handle = fi->writepage ? Handle{} : to_handle(fi);
    vfs.write(call, to_ino(ino), handle, static_cast<std::uint64_t>(offset), data,
              reply_with<std::size_t>(
                  req, [req](std::size_t written) { fuse_reply_write(req, written); }));
  });
}

// Whoever gets a lock that the close lets go of is to find what was written.
void flush(fuse_req_t req, fuse_ino_t ino, fuse_file_info* fi) {
  call_verb(req, {vfs::Op::flush, ino}, [&](vfs::Vfs& vfs, const vfs::Call& call) {
    vfs.flush(call, to_ino(ino), to_handle(fi),
              [&vfs, call, ino, lock = ranges_unlock(*fi),
               reply = reply_ok(req)](vfs::Outcome<void> flushed) mutable {
                vfs.setlk(call, to_ino(ino), lock, false,
                          [flushed, reply = std::move(reply)](vfs::Outcome<void>) mutable {
                            reply(flushed);
                          });
              });
  });
}

void release(fuse_req_t req, fuse_ino_t ino, fuse_file_info* fi) {
  vfs::Vfs& vfs = bridge_of(req).vfs;
  if (fi->flock_release)
    vfs.setlk({}, to_ino(ino), whole_file_unlock(*fi), false, [](vfs::Outcome<void>) {});
  vfs.release_locks(to_ino(ino), to_handle(fi));
  vfs.release(to_ino(ino), to_handle(fi));
  fuse_reply_err(req, 0);
}

void fsync(fuse_req_t req, fuse_ino_t ino, int, fuse_file_info* fi) {
  call_verb(req, {vfs::Op::fsync, ino}, [&](vfs::Vfs& vfs, const vfs::Call& call) {
    vfs.fsync(call, to_ino(ino), to_handle(fi), reply_ok(req));
  });
}

void fsyncdir(fuse_req_t req, fuse_ino_t ino, int, fuse_file_info*) {
  call_verb(req, {vfs::Op::fsyncdir, ino}, [&](vfs::Vfs& vfs, const vfs::Call& call) {
    vfs.fsyncdir(call, to_ino(ino), reply_ok(req));
  });
}

void statfs(fuse_req_t req, fuse_ino_t) {
  call_verb(req, {vfs::Op::statfs}, [&](vfs::Vfs& vfs, const vfs::Call& call) {
    vfs.statfs(call, reply_with<vfs::Statfs>(req, [req](const vfs::Statfs& from) {
                 struct statvfs out {};
                 out.f_bsize = out.f_frsize = from.block_size;
                 out.f_blocks = from.blocks;
                 out.f_bfree = from.blocks_free;
                 out.f_bavail = from.blocks_available;
                 out.f_files = from.files;
                 out.f_ffree = out.f_favail = from.files_free;
                 out.f_namemax = from.name_max;
                 fuse_reply_statfs(req, &out);
               }));
  });
}

void setxattr(fuse_req_t req, fuse_ino_t ino, const char* name, const char* value, std::size_t size,
              int flags) {
  call_verb(req, {vfs::Op::setxattr, ino, name}, [&](vfs::Vfs& vfs, const vfs::Call& call) {
    const ByteSpan bytes(reinterpret_cast<const std::uint8_t*>(value), size);
    vfs.setxattr(call, to_ino(ino), name, bytes, flags, reply_ok(req));
  });
}

// The caller's buffer decides: none asks for the length, too small is ERANGE.
void reply_sized(fuse_req_t req, const void* bytes, std::size_t length, std::size_t room) {
  if (room == 0) {
    fuse_reply_xattr(req, length);
  } else if (length > room) {
    fuse_reply_err(req, ERANGE);
  } else {
    fuse_reply_buf(req, static_cast<const char*>(bytes), length);
  }
}

vfs::Reply<ByteSpan> reply_value(fuse_req_t req, std::size_t size) {
  return reply_with<ByteSpan>(
      req, [req, size](ByteSpan value) { reply_sized(req, value.data(), value.size(), size); });
}

// ls -l asks every file for its label, and the kernel remembers no answer. Told that labels are not
// supported, as is true where there is none, ls asks once a filesystem.
vfs::Reply<ByteSpan> reply_label(fuse_req_t req, std::size_t size) {
  return [reply = reply_value(req, size)](vfs::Outcome<ByteSpan> label) mutable {
    if (!label && label.error().value == ENODATA) label = vfs::error(EOPNOTSUPP);
    reply(label);
  };
}

void getxattr(fuse_req_t req, fuse_ino_t ino, const char* name, std::size_t size) {
  call_verb(req, {vfs::Op::getxattr, ino, name}, [&](vfs::Vfs& vfs, const vfs::Call& call) {
    const bool label = std::string_view(name) == "security.selinux";
    vfs.getxattr(call, to_ino(ino), name, label ? reply_label(req, size) : reply_value(req, size));
  });
}

void listxattr(fuse_req_t req, fuse_ino_t ino, std::size_t size) {
  call_verb(req, {vfs::Op::listxattr, ino}, [&](vfs::Vfs& vfs, const vfs::Call& call) {
    vfs.listxattr(call, to_ino(ino),
                  reply_with<std::string_view>(req, [req, size](std::string_view names) {
                    reply_sized(req, names.data(), names.size(), size);
                  }));
  });
}

void removexattr(fuse_req_t req, fuse_ino_t ino, const char* name) {
  call_verb(req, {vfs::Op::removexattr, ino, name}, [&](vfs::Vfs& vfs, const vfs::Call& call) {
    vfs.removexattr(call, to_ino(ino), name, reply_ok(req));
  });
}

void fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t offset, off_t length,
               fuse_file_info* fi) {
  call_verb(req, {vfs::Op::fallocate, ino}, [&](vfs::Vfs& vfs, const vfs::Call& call) {
    vfs.fallocate(call, to_ino(ino), to_handle(fi), mode, static_cast<std::uint64_t>(offset),
                  static_cast<std::uint64_t>(length), reply_ok(req));
  });
}

void copy_file_range(fuse_req_t req, fuse_ino_t source, off_t source_offset, fuse_file_info*,
                     fuse_ino_t target, off_t target_offset, fuse_file_info* fi, std::size_t size,
                     int flags) {
  if (flags != 0) {
    fuse_reply_err(req, EINVAL);
    return;
  }
  call_verb(req, {vfs::Op::copy_file_range, source}, [&](vfs::Vfs& vfs, const vfs::Call& call) {
    const vfs::CopyRange range{
        to_ino(source), static_cast<std::uint64_t>(source_offset), to_ino(target),
        to_handle(fi),  static_cast<std::uint64_t>(target_offset), size};
    vfs.copy_file_range(call, range, reply_with<std::size_t>(req, [req](std::size_t copied) {
                          fuse_reply_write(req, copied);
                        }));
  });
}

void lseek(fuse_req_t req, fuse_ino_t ino, off_t offset, int whence, fuse_file_info*) {
  call_verb(req, {vfs::Op::lseek, ino}, [&](vfs::Vfs& vfs, const vfs::Call& call) {
    vfs.lseek(call, to_ino(ino), static_cast<std::uint64_t>(offset), whence,
              reply_with<std::uint64_t>(req, [req](std::uint64_t found) {
                fuse_reply_lseek(req, static_cast<off_t>(found));
              }));
  });
}

// The kernel's handle of those who wait in poll(2) on a file. To wake them is no question to the
// kernel that it could answer with requests: the core thread may.
class PollHandle {
 public:
  explicit PollHandle(fuse_pollhandle* handle) : handle_(handle) {}
  PollHandle(PollHandle&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  PollHandle& operator=(PollHandle&&) = delete;
  ~PollHandle() {
    if (handle_) fuse_pollhandle_destroy(handle_);
  }
  void wake() { fuse_lowlevel_notify_poll(handle_); }

 private:
  fuse_pollhandle* handle_;
};

void poll(fuse_req_t req, fuse_ino_t ino, fuse_file_info* fi, fuse_pollhandle* handle) {
  vfs::Wake wake;
  if (handle) wake = [waiting = PollHandle(handle)]() mutable { waiting.wake(); };
  call_verb(req, {vfs::Op::poll, ino}, [&](vfs::Vfs& vfs, const vfs::Call& call) {
    vfs.poll(call, to_ino(ino), to_handle(fi), std::move(wake),
             reply_with<unsigned>(req, [req](unsigned ready) { fuse_reply_poll(req, ready); }));
  });
}

// All others, as chattr(1) sends them, are not supported.
void ioctl(fuse_req_t req, fuse_ino_t ino, unsigned command, void*, fuse_file_info*, unsigned,
           const void* bytes, std::size_t size, std::size_t) {
  std::uint64_t source = 0;
  if (command != kCloneFrom || size != sizeof source) {
    fuse_reply_err(req, ENOTTY);
    return;
  }
  std::memcpy(&source, bytes, sizeof source);
  call_verb(req, {vfs::Op::clone, ino}, [&](vfs::Vfs& vfs, const vfs::Call& call) {
    vfs.clone(call, to_ino(source), to_ino(ino),
              reply_with<void>(req, [req] { fuse_reply_ioctl(req, 0, nullptr, 0); }));
  });
}

}  // namespace

fuse_lowlevel_ops make_ops() {
  fuse_lowlevel_ops ops{};
  ops.init = init;
  ops.lookup = lookup;
  ops.forget = forget;
  ops.forget_multi = forget_multi;
  ops.getattr = getattr;
  ops.setattr = setattr;
  ops.readlink = readlink;
  ops.mknod = mknod;
  ops.mkdir = mkdir;
  ops.symlink = symlink;
  ops.unlink = unlink;
  ops.rmdir = rmdir;
  ops.rename = rename;
  ops.link = link;
  ops.open = open;
  ops.create = create;
  ops.read = read;
  ops.write = write;
  ops.flush = flush;
  ops.release = release;
  ops.fsync = fsync;
  ops.fsyncdir = fsyncdir;
  ops.statfs = statfs;
  ops.setxattr = setxattr;
  ops.getxattr = getxattr;
  ops.listxattr = listxattr;
  ops.removexattr = removexattr;
  ops.fallocate = fallocate;
  ops.copy_file_range = copy_file_range;
  ops.lseek = lseek;
  ops.ioctl = ioctl;
  ops.poll = poll;
  add_directory_ops(ops);
  add_lock_ops(ops);
  return ops;
}

}  // namespace tusk::fuse
