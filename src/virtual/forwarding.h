// Several trees as one: the inode number tells whose a verb is.
#pragma once

#include <cerrno>

#include "tuskfs/vfs/vfs.h"

namespace tusk::virt {

class Forwarding : public vfs::Vfs {
 public:
  void lookup(const vfs::Call& call, Ino parent, std::string_view name,
              vfs::Reply<vfs::Entry> reply) override {
    of(parent).lookup(call, parent, name, std::move(reply));
  }
  void forget(Ino ino, std::uint64_t count) override { of(ino).forget(ino, count); }
  void getattr(const vfs::Call& call, Ino ino, vfs::Reply<vfs::Attr> reply) override {
    of(ino).getattr(call, ino, std::move(reply));
  }
  void setattr(const vfs::Call& call, Ino ino, const vfs::AttrChange& change,
               vfs::Reply<vfs::Attr> reply) override {
    of(ino).setattr(call, ino, change, std::move(reply));
  }
  void readlink(const vfs::Call& call, Ino ino, vfs::Reply<std::string_view> reply) override {
    of(ino).readlink(call, ino, std::move(reply));
  }

  void mknod(const vfs::Call& call, Ino parent, std::string_view name, mode_t mode, dev_t rdev,
             vfs::Reply<vfs::Entry> reply) override {
    of(parent).mknod(call, parent, name, mode, rdev, std::move(reply));
  }
  void mkdir(const vfs::Call& call, Ino parent, std::string_view name, mode_t mode,
             vfs::Reply<vfs::Entry> reply) override {
    of(parent).mkdir(call, parent, name, mode, std::move(reply));
  }
  void symlink(const vfs::Call& call, Ino parent, std::string_view name, std::string_view target,
               vfs::Reply<vfs::Entry> reply) override {
    of(parent).symlink(call, parent, name, target, std::move(reply));
  }
  void unlink(const vfs::Call& call, Ino parent, std::string_view name,
              vfs::Reply<void> reply) override {
    of(parent).unlink(call, parent, name, std::move(reply));
  }
  void rmdir(const vfs::Call& call, Ino parent, std::string_view name,
             vfs::Reply<void> reply) override {
    of(parent).rmdir(call, parent, name, std::move(reply));
  }
  // With its ends in two trees it is the first one's to say.
  void rename(const vfs::Call& call, Ino parent, std::string_view name, Ino new_parent,
              std::string_view new_name, unsigned flags, vfs::Reply<void> reply) override {
    of(parent).rename(call, parent, name, new_parent, new_name, flags, std::move(reply));
  }
  void link(const vfs::Call& call, Ino ino, Ino new_parent, std::string_view new_name,
            vfs::Reply<vfs::Entry> reply) override {
    if (&of(ino) != &of(new_parent)) return reply(vfs::error(EXDEV));
    of(new_parent).link(call, ino, new_parent, new_name, std::move(reply));
  }

  void open(const vfs::Call& call, Ino ino, int flags, vfs::Reply<vfs::Opened> reply) override {
    of(ino).open(call, ino, flags, std::move(reply));
  }
  void create(const vfs::Call& call, Ino parent, std::string_view name, mode_t mode, int flags,
              vfs::Reply<vfs::Created> reply) override {
    of(parent).create(call, parent, name, mode, flags, std::move(reply));
  }
  void read(const vfs::Call& call, Ino ino, Handle handle, std::uint64_t offset, std::size_t size,
            vfs::Reply<vfs::Content> reply) override {
    of(ino).read(call, ino, handle, offset, size, std::move(reply));
  }
  void write(const vfs::Call& call, Ino ino, Handle handle, std::uint64_t offset, ByteSpan data,
             vfs::Reply<std::size_t> reply) override {
    of(ino).write(call, ino, handle, offset, data, std::move(reply));
  }
  void flush(const vfs::Call& call, Ino ino, Handle handle, vfs::Reply<void> reply) override {
    of(ino).flush(call, ino, handle, std::move(reply));
  }
  void release(Ino ino, Handle handle) override { of(ino).release(ino, handle); }
  void fsync(const vfs::Call& call, Ino ino, Handle handle, vfs::Reply<void> reply) override {
    of(ino).fsync(call, ino, handle, std::move(reply));
  }
  void poll(const vfs::Call& call, Ino ino, Handle handle, vfs::Wake wake,
            vfs::Reply<unsigned> reply) override {
    of(ino).poll(call, ino, handle, std::move(wake), std::move(reply));
  }

  void opendir(const vfs::Call& call, Ino ino, vfs::Reply<vfs::Opened> reply) override {
    of(ino).opendir(call, ino, std::move(reply));
  }
  void readdir(const vfs::Call& call, Ino ino, Handle handle, std::uint64_t offset,
               std::size_t limit, bool plus,
               vfs::Reply<std::vector<vfs::DirEntry>> reply) override {
    of(ino).readdir(call, ino, handle, offset, limit, plus, std::move(reply));
  }
  void releasedir(Ino ino, Handle handle) override { of(ino).releasedir(ino, handle); }
  void fsyncdir(const vfs::Call& call, Ino ino, vfs::Reply<void> reply) override {
    of(ino).fsyncdir(call, ino, std::move(reply));
  }
  void statfs(const vfs::Call& call, vfs::Reply<vfs::Statfs> reply) override {
    of(kRootIno).statfs(call, std::move(reply));
  }

  void setxattr(const vfs::Call& call, Ino ino, std::string_view name, ByteSpan value, int flags,
                vfs::Reply<void> reply) override {
    of(ino).setxattr(call, ino, name, value, flags, std::move(reply));
  }
  void getxattr(const vfs::Call& call, Ino ino, std::string_view name,
                vfs::Reply<ByteSpan> reply) override {
    of(ino).getxattr(call, ino, name, std::move(reply));
  }
  void listxattr(const vfs::Call& call, Ino ino, vfs::Reply<std::string_view> reply) override {
    of(ino).listxattr(call, ino, std::move(reply));
  }
  void removexattr(const vfs::Call& call, Ino ino, std::string_view name,
                   vfs::Reply<void> reply) override {
    of(ino).removexattr(call, ino, name, std::move(reply));
  }

  void fallocate(const vfs::Call& call, Ino ino, Handle handle, int mode, std::uint64_t offset,
                 std::uint64_t size, vfs::Reply<void> reply) override {
    of(ino).fallocate(call, ino, handle, mode, offset, size, std::move(reply));
  }
  void copy_file_range(const vfs::Call& call, const vfs::CopyRange& range,
                       vfs::Reply<std::size_t> reply) override {
    // The kernel then copies by reading and writing.
    if (&of(range.source) != &of(range.target)) return reply(vfs::error(EXDEV));
    of(range.target).copy_file_range(call, range, std::move(reply));
  }
  void clone(const vfs::Call& call, Ino source, Ino target, vfs::Reply<void> reply) override {
    if (&of(source) != &of(target)) return reply(vfs::error(EXDEV));
    of(target).clone(call, source, target, std::move(reply));
  }
  void lseek(const vfs::Call& call, Ino ino, std::uint64_t offset, int whence,
             vfs::Reply<std::uint64_t> reply) override {
    of(ino).lseek(call, ino, offset, whence, std::move(reply));
  }
  void getlk(const vfs::Call& call, Ino ino, const vfs::Lock& wanted,
             vfs::Reply<vfs::Lock> reply) override {
    of(ino).getlk(call, ino, wanted, std::move(reply));
  }
  void setlk(const vfs::Call& call, Ino ino, const vfs::Lock& wanted, bool waits,
             vfs::Reply<void> reply) override {
    of(ino).setlk(call, ino, wanted, waits, std::move(reply));
  }
  void release_locks(Ino ino, Handle handle) override { of(ino).release_locks(ino, handle); }
  bool wants_flush() const override { return of(kRootIno).wants_flush(); }

 protected:
  virtual vfs::Vfs& of(Ino ino) const = 0;
};

}  // namespace tusk::virt
