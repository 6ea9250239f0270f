// The verbs, one file each in verbs/. All run on the core thread; each is an attempt.
#pragma once

#include <memory>
#include <optional>

#include "core/core.h"
#include "core/references.h"
#include "tuskfs/base/result.h"
#include "tuskfs/vfs/vfs.h"

namespace tusk::core {

Attempt<vfs::Entry> lookup(Core&, const vfs::Call&, Ino parent, std::string_view name,
                           Presence::Look&);
void forget(Core&, Ino, std::uint64_t count);
Attempt<vfs::Attr> getattr(Core&, Ino);
Attempt<vfs::Attr> setattr(Core&, const vfs::Call&, Ino, const vfs::AttrChange&);
Attempt<std::string_view> readlink(Core&, Ino);

Attempt<vfs::Entry> mknod(Core&, const vfs::Call&, Ino parent, std::string_view name, mode_t,
                          dev_t);
Attempt<vfs::Entry> mkdir(Core&, const vfs::Call&, Ino parent, std::string_view name, mode_t);
Attempt<vfs::Entry> symlink(Core&, const vfs::Call&, Ino parent, std::string_view name,
                            std::string_view target);
Attempt<void> unlink(Core&, const vfs::Call&, Ino parent, std::string_view name,
                     std::shared_ptr<ReferenceCheck>&);
Attempt<void> rmdir(Core&, const vfs::Call&, Ino parent, std::string_view name,
                    std::shared_ptr<ReferenceCheck>&);
struct RenameArgs {
  uid_t by;
  Ino parent;
  std::string_view name;
  Ino new_parent;
  std::string_view new_name;
  unsigned flags = 0;
  std::shared_ptr<ReferenceCheck>& check;  // of what it replaces
};
Attempt<void> rename(Core&, const RenameArgs&);
Attempt<vfs::Entry> link(Core&, Ino, Ino new_parent, std::string_view new_name);

// What an open keeps between its attempts.
struct Arrival {
  Presence::Look look = {};
  std::optional<StaleNames::Retry> retry = {};
  bool has_arrived = false;
};
Attempt<vfs::Opened> open(Core&, const vfs::Call&, Ino, int flags, Arrival&);
Attempt<vfs::Created> create(Core&, const vfs::Call&, Ino parent, std::string_view name, mode_t,
                             int flags);
Attempt<vfs::Content> read(Core&, Ino, std::uint64_t offset, std::size_t size);
Attempt<std::size_t> write(Core&, const vfs::Call&, Ino, Handle, std::uint64_t offset,
                           ByteSpan data);
void release(Core&, Handle);
// Whether somebody writes to a file whose close will not be told.
bool is_written_quietly(Core&, Ino);
// What others did until it began is known here, and the kernel knows no older content of the file.
Attempt<void> look_anew(Core&, Ino, Presence::Look&);
// `target`: the group to wait for, found at the first attempt. A close, where others may look for
// what was written.
Attempt<void> flush(Core&, Ino, std::optional<GroupNo>& target);
Attempt<void> fsync(Core&, Ino, std::optional<GroupNo>& target);
// The change that was made in `group`, as others find it. EIO where it conflicted with theirs.
Attempt<void> await_stored(Core&, GroupNo group);
Attempt<void> sync_all(Core&, std::optional<GroupNo>& target);
Attempt<void> commit_all(Core&, std::optional<GroupNo>& target);

Attempt<vfs::Opened> opendir(Core&, Ino, Presence::Look&);
Attempt<std::vector<vfs::DirEntry>> readdir(Core&, Ino, std::uint64_t offset, std::size_t limit,
                                            bool plus);
void releasedir(Core&, Ino);
vfs::Statfs statfs(const Core&);

Attempt<void> setxattr(Core&, const vfs::Call&, Ino, std::string_view name, ByteSpan value,
                       int flags);
// `scratch` keeps the answer alive for the reply.
Attempt<ByteSpan> getxattr(Core&, Ino, std::string_view name, std::string& scratch);
Attempt<std::string_view> listxattr(Core&, Ino, std::string& scratch);
Attempt<void> removexattr(Core&, const vfs::Call&, Ino, std::string_view name);

Attempt<void> fallocate(Core&, const vfs::Call&, Ino, int mode, std::uint64_t offset,
                        std::uint64_t size);
Attempt<std::size_t> copy_file_range(Core&, const vfs::Call&, const vfs::CopyRange&);
// What is known of the source's owners, between attempts.
struct CloneCheck {
  std::optional<GroupNo> since;  // what the store must have to be asked
  bool asked = false;
  std::optional<Result<bool>> owned;
  std::optional<GroupNo> sized_since;  // the same, to be asked how much there is
  store::Usage grown;                  // Claims::grown at that time
  bool size_asked = false;
  std::optional<Result<store::Usage>> size;
  Waiters waiters;
};
Attempt<void> clone(Core&, const vfs::Call&, Ino source, Ino target,
                    const std::shared_ptr<CloneCheck>&);
// What is known of something in the trash, between attempts.
struct RestoreCheck {
  bool asked = false;
  std::optional<Result<store::TrashedEntry>> entry;
  Waiters waiters;
  std::optional<GroupNo> group;  // that brings it back
};
Attempt<void> restore(Core&, const Uuid&, Ino parent, std::string_view name,
                      const std::shared_ptr<RestoreCheck>&);
Attempt<std::uint64_t> lseek(Core&, Ino, std::uint64_t offset, int whence);

}  // namespace tusk::core
