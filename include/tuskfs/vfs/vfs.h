// The waist: POSIX verbs on inodes. No FUSE and no SQL on either side of it.
//
// 1. Every verb is called on the core thread and answers through its Reply exactly once: at once
//    from memory, or later, on the core thread too, when it had to wait for the database.
// 2. String views and spans given to a verb are valid only until it returns; what a Reply is given
//    is valid only until the Reply returns.
// 3. A failed verb changed nothing.
// 4. Permission checks on modes, owners and ACLs are the kernel's (default_permissions); what the
//    kernel leaves to a filesystem (sticky exchange, set-id bits, ACL inheritance) is done here.
#pragma once

#include <poll.h>
#include <sys/types.h>

#include <cstdint>
#include <expected>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tuskfs/base/bytes.h"
#include "tuskfs/base/executor.h"
#include "tuskfs/base/ids.h"

namespace tusk::vfs {

struct Errno {
  int value;  // positive, as in <errno.h>
};

template <class T>
using Outcome = std::expected<T, Errno>;
template <class T>
using Reply = std::move_only_function<void(Outcome<T>)>;

// Told once, on the core thread.
using Wake = std::move_only_function<void()>;

inline std::unexpected<Errno> error(int value) { return std::unexpected(Errno{value}); }

// Who calls, and a token by which interrupt() can find the call while it waits.
struct Call {
  uid_t uid = 0;
  gid_t gid = 0;
  pid_t pid = 0;
  mode_t umask = 0;  // not yet applied to the mode of a create: a default ACL replaces it
  std::uint64_t token = 0;
};

// How long the kernel may believe what it is told: until it is told otherwise, a moment (one
// program's walk), or not at all.
enum class Valid : std::uint8_t { lasting, briefly, never };

struct Attr {
  Ino ino{};
  mode_t mode = 0;
  std::uint32_t nlink = 0;
  uid_t uid = 0;
  gid_t gid = 0;
  dev_t rdev = 0;
  std::uint64_t size = 0;
  std::uint64_t blocks = 0;  // of 512 bytes; holes are not counted
  WallTime atime{}, mtime{}, ctime{};
  Valid valid = Valid::lasting;       // all of this
  Valid name_valid = Valid::lasting;  // that the name it was found by is this inode's
};

// What setattr changes; what is empty stays. A time of "now" is given as kNow.
inline constexpr WallTime kNow{INT64_MIN};
struct AttrChange {
  std::optional<mode_t> mode;
  std::optional<uid_t> uid;
  std::optional<gid_t> gid;
  std::optional<std::uint64_t> size;
  std::optional<WallTime> atime, mtime, ctime;
};

// A name found or made: its inode's lookup count went up by one. A name known to be absent has
// attr.ino == 0 and may be cached as such.
struct Entry {
  Attr attr;
};

struct Opened {
  Handle handle{};
  bool lasting = true;  // the kernel may keep the listing of a folder, the content of a file
  bool direct = false;  // of a file: each read is asked for, also beyond the size
  bool flush = false;   // of a file: close is a verb too, wants_flush() or not
};
struct Created {
  Entry entry;
  Opened opened;
};

struct DirEntry {
  std::string_view name;
  std::uint64_t next = 0;  // offset that continues after this entry
  Attr attr;               // "." and ".." carry ino and mode only
  bool counted = false;    // a lookup was counted for it: forget() it if it is not passed on
};

// Content as a run of pieces that share the implementer's buffers; valid inside the Reply.
struct Content {
  std::vector<ByteSpan> pieces;
  std::size_t size = 0;
};

struct Statfs {
  std::uint64_t block_size = 4096;
  std::uint64_t blocks = 0, blocks_free = 0, blocks_available = 0;
  std::uint64_t files = 0, files_free = 0;
  std::uint32_t name_max = 255;
};

struct CopyRange {
  Ino source{};
  std::uint64_t source_offset = 0;
  Ino target{};
  Handle target_handle{};
  std::uint64_t target_offset = 0;
  std::size_t size = 0;
};

// A lock that a program has of a file, or wants: by flock(2) of all of it, or by fcntl(2) of a
// range.
enum class LockType : std::uint8_t { none, shared, exclusive };
struct LockOwner {
  bool is_range = true;
  std::uint64_t id = 0;  // as the kernel numbers processes and open files
  auto operator<=>(const LockOwner&) const = default;
};
struct Lock {
  LockOwner owner;
  LockType type = LockType::none;
  std::uint64_t first = 0, last = INT64_MAX;  // bytes
  pid_t pid = 0;                              // 0: of another machine, perhaps
  Handle via{};                               // the open file it was asked through
  bool operator==(const Lock&) const = default;
};

// What the kernel remembers of the tree. Any call returns at once; the work is another thread's, as
// the kernel may answer it with requests.
class KernelCache {
 public:
  virtual ~KernelCache() = default;
  // The kernel lets go of an entry and of what it knows below it: forget() calls follow.
  virtual void drop_entry(Ino parent, std::string_view name) = 0;
  // The kernel forgets attributes, content and listing of an inode.
  virtual void drop_inode(Ino) = 0;
  // Called, on whatever thread, once all that was to be dropped before is.
  virtual void after_drops(std::move_only_function<void()> call) = 0;
  // Much is still to be done: what is not needed should not be asked for now.
  virtual bool is_behind() const = 0;
};

class Vfs {
 public:
  virtual ~Vfs() = default;

  virtual void lookup(const Call&, Ino parent, std::string_view name, Reply<Entry>) = 0;
  virtual void forget(Ino, std::uint64_t count) = 0;
  virtual void getattr(const Call&, Ino, Reply<Attr>) = 0;
  // By handle when the kernel gave one (ftruncate on an unlinked file).
  virtual void setattr(const Call&, Ino, const AttrChange&, Reply<Attr>) = 0;
  virtual void readlink(const Call&, Ino, Reply<std::string_view>) = 0;

  virtual void mknod(const Call&, Ino parent, std::string_view name, mode_t, dev_t,
                     Reply<Entry>) = 0;
  virtual void mkdir(const Call&, Ino parent, std::string_view name, mode_t, Reply<Entry>) = 0;
  virtual void symlink(const Call&, Ino parent, std::string_view name, std::string_view target,
                       Reply<Entry>) = 0;
  virtual void unlink(const Call&, Ino parent, std::string_view name, Reply<void>) = 0;
  virtual void rmdir(const Call&, Ino parent, std::string_view name, Reply<void>) = 0;
  // flags: 0, RENAME_NOREPLACE or RENAME_EXCHANGE; others EINVAL.
  virtual void rename(const Call&, Ino parent, std::string_view name, Ino new_parent,
                      std::string_view new_name, unsigned flags, Reply<void>) = 0;
  virtual void link(const Call&, Ino, Ino new_parent, std::string_view new_name, Reply<Entry>) = 0;

  // flags as open(2); O_TRUNC is done here.
  virtual void open(const Call&, Ino, int flags, Reply<Opened>) = 0;
  virtual void create(const Call&, Ino parent, std::string_view name, mode_t, int flags,
                      Reply<Created>) = 0;
  virtual void read(const Call&, Ino, Handle, std::uint64_t offset, std::size_t size,
                    Reply<Content>) = 0;
  virtual void write(const Call&, Ino, Handle, std::uint64_t offset, ByteSpan data,
                     Reply<std::size_t>) = 0;
  // At each close; only called where that must wait (wants_flush(), Opened::flush).
  virtual void flush(const Call&, Ino, Handle, Reply<void>) = 0;
  virtual void release(Ino, Handle) = 0;
  virtual void fsync(const Call&, Ino, Handle, Reply<void>) = 0;
  // What can be done now without waiting, as poll(2) tells it. `wake`, unless null, is for when
  // that may have changed; it is let go of with the handle. Files are always ready.
  virtual void poll(const Call&, Ino, Handle, Wake, Reply<unsigned> reply) {
    reply(POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM);
  }

  virtual void opendir(const Call&, Ino, Reply<Opened>) = 0;
  // At most `limit` entries after `offset` (0: from the start); with `plus`, lookups are counted.
  virtual void readdir(const Call&, Ino, Handle, std::uint64_t offset, std::size_t limit, bool plus,
                       Reply<std::vector<DirEntry>>) = 0;
  virtual void releasedir(Ino, Handle) = 0;
  // Makes everything done so far in the whole tree durable: `sync FOLDER`.
  virtual void fsyncdir(const Call&, Ino, Reply<void>) = 0;

  virtual void statfs(const Call&, Reply<Statfs>) = 0;

  virtual void setxattr(const Call&, Ino, std::string_view name, ByteSpan value, int flags,
                        Reply<void>) = 0;
  virtual void getxattr(const Call&, Ino, std::string_view name, Reply<ByteSpan>) = 0;
  // Names, each ended by a NUL.
  virtual void listxattr(const Call&, Ino, Reply<std::string_view>) = 0;
  virtual void removexattr(const Call&, Ino, std::string_view name, Reply<void>) = 0;

  // mode as fallocate(2).
  virtual void fallocate(const Call&, Ino, Handle, int mode, std::uint64_t offset,
                         std::uint64_t size, Reply<void>) = 0;
  virtual void copy_file_range(const Call&, const CopyRange&, Reply<std::size_t>) = 0;
  // `target`, a file or folder that is still empty, becomes what `source` is at this moment, with
  // everything below it; content is shared until it changes. ENOTEMPTY, EISDIR or ENOTDIR for
  // another kind, EINVAL when it lies in `source`; EPERM when the target, and EACCES when anything
  // of the source, is not the caller's, unless that is root.
  virtual void clone(const Call&, Ino source, Ino target, Reply<void>) = 0;
  // whence: SEEK_DATA or SEEK_HOLE.
  virtual void lseek(const Call&, Ino, std::uint64_t offset, int whence, Reply<std::uint64_t>) = 0;

  // A lock that is in the way of `wanted`, or type none.
  virtual void getlk(const Call&, Ino, const Lock& wanted, Reply<Lock>) = 0;
  // Type none lets go. EAGAIN while another owner is in the way, unless the call `waits`; then
  // EINTR when it gives up, and EDEADLK where owners of ranges would wait for each other in a ring.
  virtual void setlk(const Call&, Ino, const Lock& wanted, bool waits, Reply<void>) = 0;
  // An open file is closed: ranges that were locked through it are let go of at the latest now.
  virtual void release_locks(Ino, Handle) = 0;

  // The caller of a waiting verb gave up: it is answered EINTR if it still waits.
  virtual void interrupt(std::uint64_t token) = 0;

  virtual bool wants_flush() const = 0;

  // Given once the mount is up, taken back (null) before it goes.
  virtual void set_kernel_cache(KernelCache*) {}
};

}  // namespace tusk::vfs
