// A Vfs in which nothing can be changed, but for what is overridden.
#pragma once

#include <cerrno>

#include "tuskfs/vfs/locks.h"

namespace tusk::virt {

class ReadOnly : public vfs::Vfs {
 public:
  // `refusal`: the errno of all that is not done.
  explicit ReadOnly(int refusal = EROFS) : refusal_(refusal) {}

  void setattr(const vfs::Call&, Ino, const vfs::AttrChange&, vfs::Reply<vfs::Attr> r) override {
    r(vfs::error(refusal_));
  }
  void mknod(const vfs::Call&, Ino, std::string_view, mode_t, dev_t,
             vfs::Reply<vfs::Entry> r) override {
    r(vfs::error(refusal_));
  }
  void mkdir(const vfs::Call&, Ino, std::string_view, mode_t, vfs::Reply<vfs::Entry> r) override {
    r(vfs::error(refusal_));
  }
  void symlink(const vfs::Call&, Ino, std::string_view, std::string_view,
               vfs::Reply<vfs::Entry> r) override {
    r(vfs::error(refusal_));
  }
  void unlink(const vfs::Call&, Ino, std::string_view, vfs::Reply<void> r) override {
    r(vfs::error(refusal_));
  }
  void rmdir(const vfs::Call&, Ino, std::string_view, vfs::Reply<void> r) override {
    r(vfs::error(refusal_));
  }
  void rename(const vfs::Call&, Ino, std::string_view, Ino, std::string_view, unsigned,
              vfs::Reply<void> r) override {
    r(vfs::error(refusal_));
  }
  void link(const vfs::Call&, Ino, Ino, std::string_view, vfs::Reply<vfs::Entry> r) override {
    r(vfs::error(refusal_));
  }
  void create(const vfs::Call&, Ino, std::string_view, mode_t, int,
              vfs::Reply<vfs::Created> r) override {
    r(vfs::error(refusal_));
  }
  void write(const vfs::Call&, Ino, Handle, std::uint64_t, ByteSpan,
             vfs::Reply<std::size_t> r) override {
    r(vfs::error(refusal_));
  }
  void setxattr(const vfs::Call&, Ino, std::string_view, ByteSpan, int,
                vfs::Reply<void> r) override {
    r(vfs::error(refusal_));
  }
  void removexattr(const vfs::Call&, Ino, std::string_view, vfs::Reply<void> r) override {
    r(vfs::error(refusal_));
  }
  void fallocate(const vfs::Call&, Ino, Handle, int, std::uint64_t, std::uint64_t,
                 vfs::Reply<void> r) override {
    r(vfs::error(refusal_));
  }
  void copy_file_range(const vfs::Call&, const vfs::CopyRange&,
                       vfs::Reply<std::size_t> r) override {
    r(vfs::error(refusal_));
  }
  void clone(const vfs::Call&, Ino, Ino, vfs::Reply<void> r) override { r(vfs::error(refusal_)); }

  void readlink(const vfs::Call&, Ino, vfs::Reply<std::string_view> r) override {
    r(vfs::error(EINVAL));
  }
  void lseek(const vfs::Call&, Ino, std::uint64_t, int, vfs::Reply<std::uint64_t> r) override {
    r(vfs::error(EINVAL));
  }
  void statfs(const vfs::Call&, vfs::Reply<vfs::Statfs> r) override { r(vfs::Statfs{}); }

  // There is nothing to write back.
  void flush(const vfs::Call&, Ino, Handle, vfs::Reply<void> r) override { r({}); }
  void fsync(const vfs::Call&, Ino, Handle, vfs::Reply<void> r) override { r({}); }
  void fsyncdir(const vfs::Call&, Ino, vfs::Reply<void> r) override { r({}); }
  bool wants_flush() const override { return false; }

  // Of this mount alone.
  void getlk(const vfs::Call&, Ino ino, const vfs::Lock& wanted, vfs::Reply<vfs::Lock> r) override {
    locks_.find(ino, wanted, std::move(r));
  }
  void setlk(const vfs::Call& call, Ino ino, const vfs::Lock& wanted, bool waits,
             vfs::Reply<void> r) override {
    locks_.set(ino, wanted, waits, call.token, std::move(r));
  }
  void release_locks(Ino ino, Handle handle) override { locks_.closed(ino, handle); }
  void interrupt(std::uint64_t token) override { locks_.interrupt(token); }

 private:
  vfs::Locks locks_;
  const int refusal_;
};

}  // namespace tusk::virt
