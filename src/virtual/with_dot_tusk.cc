// Two trees as one: inode numbers tell which is meant, and the root has one name more.
#include <algorithm>

#include "virtual/past_tree.h"

namespace tusk::virt {
namespace {

using namespace vfs;

constexpr std::string_view kDotTusk = ".tusk";

class WithDotTusk final : public Vfs {
 public:
  WithDotTusk(Vfs& core, Executor& executor, store::PastStore& store, Setup setup)
      : core_(core), setup_(std::move(setup)), past_(executor, store, setup_, dot_tusk(setup_.root), kDotTuskIno) {}

  void lookup(const Call& call, Ino parent, std::string_view name, Reply<Entry> reply) override {
    if (is_dot_tusk(parent, name)) return reply(past_.top());
    of(parent).lookup(call, parent, name, std::move(reply));
  }
  void forget(Ino ino, std::uint64_t count) override { of(ino).forget(ino, count); }
  void getattr(const Call& call, Ino ino, Reply<Attr> reply) override {
    of(ino).getattr(call, ino, std::move(reply));
  }
  void setattr(const Call& call, Ino ino, const AttrChange& change, Reply<Attr> reply) override {
    of(ino).setattr(call, ino, change, std::move(reply));
  }
  void readlink(const Call& call, Ino ino, Reply<std::string_view> reply) override {
    of(ino).readlink(call, ino, std::move(reply));
  }

  void mknod(const Call& call, Ino parent, std::string_view name, mode_t mode, dev_t rdev,
             Reply<Entry> reply) override {
    if (is_dot_tusk(parent, name)) return reply(error(EEXIST));
    of(parent).mknod(call, parent, name, mode, rdev, std::move(reply));
  }
  void mkdir(const Call& call, Ino parent, std::string_view name, mode_t mode,
             Reply<Entry> reply) override {
    if (is_dot_tusk(parent, name)) return reply(error(EEXIST));
    of(parent).mkdir(call, parent, name, mode, std::move(reply));
  }
  void symlink(const Call& call, Ino parent, std::string_view name, std::string_view target,
               Reply<Entry> reply) override {
    if (is_dot_tusk(parent, name)) return reply(error(EEXIST));
    of(parent).symlink(call, parent, name, target, std::move(reply));
  }
  void unlink(const Call& call, Ino parent, std::string_view name, Reply<void> reply) override {
    if (is_dot_tusk(parent, name)) return reply(error(EPERM));
    of(parent).unlink(call, parent, name, std::move(reply));
  }
  void rmdir(const Call& call, Ino parent, std::string_view name, Reply<void> reply) override {
    if (is_dot_tusk(parent, name)) return reply(error(EPERM));
    of(parent).rmdir(call, parent, name, std::move(reply));
  }
  // With one end in .tusk it is .tusk's to say.
  void rename(const Call& call, Ino parent, std::string_view name, Ino new_parent,
              std::string_view new_name, unsigned flags, Reply<void> reply) override {
    if (is_dot_tusk(parent, name) || is_dot_tusk(new_parent, new_name)) return reply(error(EPERM));
    of(is_in_dot_tusk(parent) ? parent : new_parent)
        .rename(call, parent, name, new_parent, new_name, flags, std::move(reply));
  }
  void link(const Call& call, Ino ino, Ino new_parent, std::string_view new_name,
            Reply<Entry> reply) override {
    if (is_dot_tusk(new_parent, new_name)) return reply(error(EEXIST));
    if (is_in_dot_tusk(ino) && !is_in_dot_tusk(new_parent)) return reply(error(EXDEV));
    of(new_parent).link(call, ino, new_parent, new_name, std::move(reply));
  }

  void open(const Call& call, Ino ino, int flags, Reply<Opened> reply) override {
    of(ino).open(call, ino, flags, std::move(reply));
  }
  void create(const Call& call, Ino parent, std::string_view name, mode_t mode, int flags,
              Reply<Created> reply) override {
    if (is_dot_tusk(parent, name)) return reply(error(EEXIST));
    of(parent).create(call, parent, name, mode, flags, std::move(reply));
  }
  void read(const Call& call, Ino ino, Handle handle, std::uint64_t offset, std::size_t size,
            Reply<Content> reply) override {
    of(ino).read(call, ino, handle, offset, size, std::move(reply));
  }
  void write(const Call& call, Ino ino, Handle handle, std::uint64_t offset, ByteSpan data,
             Reply<std::size_t> reply) override {
    of(ino).write(call, ino, handle, offset, data, std::move(reply));
  }
  void flush(const Call& call, Ino ino, Handle handle, Reply<void> reply) override {
    of(ino).flush(call, ino, handle, std::move(reply));
  }
  void release(Ino ino, Handle handle) override { of(ino).release(ino, handle); }
  void fsync(const Call& call, Ino ino, Handle handle, Reply<void> reply) override {
    of(ino).fsync(call, ino, handle, std::move(reply));
  }

  void opendir(const Call& call, Ino ino, Reply<Opened> reply) override {
    of(ino).opendir(call, ino, std::move(reply));
  }
  void readdir(const Call& call, Ino ino, Handle handle, std::uint64_t offset, std::size_t limit,
               bool plus, Reply<std::vector<DirEntry>> reply) override {
    if (ino == kRootIno) reply = without_dot_tusk(std::move(reply));
    of(ino).readdir(call, ino, handle, offset, limit, plus, std::move(reply));
  }
  void releasedir(Ino ino, Handle handle) override { of(ino).releasedir(ino, handle); }
  void fsyncdir(const Call& call, Ino ino, Reply<void> reply) override {
    of(ino).fsyncdir(call, ino, std::move(reply));
  }
  void statfs(const Call& call, Reply<Statfs> reply) override {
    core_.statfs(call, std::move(reply));
  }

  void setxattr(const Call& call, Ino ino, std::string_view name, ByteSpan value, int flags,
                Reply<void> reply) override {
    of(ino).setxattr(call, ino, name, value, flags, std::move(reply));
  }
  void getxattr(const Call& call, Ino ino, std::string_view name, Reply<ByteSpan> reply) override {
    of(ino).getxattr(call, ino, name, std::move(reply));
  }
  void listxattr(const Call& call, Ino ino, Reply<std::string_view> reply) override {
    of(ino).listxattr(call, ino, std::move(reply));
  }
  void removexattr(const Call& call, Ino ino, std::string_view name, Reply<void> reply) override {
    of(ino).removexattr(call, ino, name, std::move(reply));
  }

  void fallocate(const Call& call, Ino ino, Handle handle, int mode, std::uint64_t offset,
                 std::uint64_t size, Reply<void> reply) override {
    of(ino).fallocate(call, ino, handle, mode, offset, size, std::move(reply));
  }
  void copy_file_range(const Call& call, const CopyRange& range,
                       Reply<std::size_t> reply) override {
    // The kernel then copies by reading and writing.
    if (is_in_dot_tusk(range.source)) return reply(error(EXDEV));
    of(range.target).copy_file_range(call, range, std::move(reply));
  }
  void clone(const Call& call, Ino source, Ino target, Reply<void> reply) override {
    if (is_in_dot_tusk(source)) return reply(error(EXDEV));
    of(target).clone(call, source, target, std::move(reply));
  }
  void lseek(const Call& call, Ino ino, std::uint64_t offset, int whence,
             Reply<std::uint64_t> reply) override {
    of(ino).lseek(call, ino, offset, whence, std::move(reply));
  }

  void interrupt(std::uint64_t token) override {
    core_.interrupt(token);
    past_.interrupt(token);
  }
  bool wants_flush() const override { return core_.wants_flush(); }
  void set_kernel_cache(KernelCache* cache) override { core_.set_kernel_cache(cache); }

 private:
  Vfs& of(Ino ino) { return is_in_dot_tusk(ino) ? static_cast<Vfs&>(past_) : core_; }

  static bool is_dot_tusk(Ino parent, std::string_view name) {
    return parent == kRootIno && name == kDotTusk;
  }

  // A row of that name, made by SQL, cannot be reached: it must not be listed either.
  Reply<std::vector<DirEntry>> without_dot_tusk(Reply<std::vector<DirEntry>> reply) {
    return [this, reply = std::move(reply)](Outcome<std::vector<DirEntry>> entries) mutable {
      if (entries) {
        std::erase_if(*entries, [this](const DirEntry& entry) {
          if (entry.name != kDotTusk) return false;
          if (entry.counted) core_.forget(entry.attr.ino, 1);
          return true;
        });
      }
      reply(std::move(entries));
    };
  }

  Vfs& core_;
  const Setup setup_;
  PastTree past_;
};

}  // namespace

std::unique_ptr<Vfs> with_dot_tusk(Vfs& core, Executor& executor, store::PastStore& store,
                                   Setup setup) {
  return std::make_unique<WithDotTusk>(core, executor, store, std::move(setup));
}

}  // namespace tusk::virt
