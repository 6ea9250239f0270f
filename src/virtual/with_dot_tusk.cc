// The tree of the present with .tusk in it: the root has one name more, which no listing shows. The
// sidecar's folders lie in .tusk, or in the root where that is wished for.
#include <sys/stat.h>

#include <algorithm>

#include "virtual/forwarding.h"
#include "virtual/past_tree.h"

namespace tusk::virt {
namespace {

using namespace vfs;

constexpr std::string_view kDotTusk = ".tusk";
// Offsets of a listing from here on are those of the names that are shown beside its own.
constexpr std::uint64_t kBeside = std::uint64_t{1} << 62;

class WithDotTusk final : public Forwarding {
 public:
  WithDotTusk(Vfs& core, Executor& executor, store::PastStore& store, Setup setup)
      : core_(core),
        setup_(std::move(setup)),
        past_(executor, store, setup_, dot_tusk(setup_.root), kDotTuskIno) {}

  void lookup(const Call& call, Ino parent, std::string_view name, Reply<Entry> reply) override {
    if (is_dot_tusk(parent, name)) return reply(past_.top());
    if (is_sidecars(parent, name))
      return setup_.sidecar->lookup(call, kSidecarIno, name, std::move(reply));
    of(parent).lookup(call, parent, name, std::move(reply));
  }

  void mknod(const Call& call, Ino parent, std::string_view name, mode_t mode, dev_t rdev,
             Reply<Entry> reply) override {
    if (is_ours(parent, name)) return reply(error(EEXIST));
    Forwarding::mknod(call, parent, name, mode, rdev, std::move(reply));
  }
  void mkdir(const Call& call, Ino parent, std::string_view name, mode_t mode,
             Reply<Entry> reply) override {
    if (is_ours(parent, name)) return reply(error(EEXIST));
    Forwarding::mkdir(call, parent, name, mode, std::move(reply));
  }
  void symlink(const Call& call, Ino parent, std::string_view name, std::string_view target,
               Reply<Entry> reply) override {
    if (is_ours(parent, name)) return reply(error(EEXIST));
    Forwarding::symlink(call, parent, name, target, std::move(reply));
  }
  void create(const Call& call, Ino parent, std::string_view name, mode_t mode, int flags,
              Reply<Created> reply) override {
    if (is_ours(parent, name)) return reply(error(EEXIST));
    Forwarding::create(call, parent, name, mode, flags, std::move(reply));
  }
  void unlink(const Call& call, Ino parent, std::string_view name, Reply<void> reply) override {
    if (is_ours(parent, name)) return reply(error(EPERM));
    Forwarding::unlink(call, parent, name, std::move(reply));
  }
  void rmdir(const Call& call, Ino parent, std::string_view name, Reply<void> reply) override {
    if (is_ours(parent, name)) return reply(error(EPERM));
    Forwarding::rmdir(call, parent, name, std::move(reply));
  }
  // Into .tusk it is .tusk's to say, as out of it.
  void rename(const Call& call, Ino parent, std::string_view name, Ino new_parent,
              std::string_view new_name, unsigned flags, Reply<void> reply) override {
    if (is_ours(parent, name) || is_ours(new_parent, new_name)) return reply(error(EPERM));
    of(is_in_dot_tusk(parent) ? parent : new_parent)
        .rename(call, parent, name, new_parent, new_name, flags, std::move(reply));
  }
  void link(const Call& call, Ino ino, Ino new_parent, std::string_view new_name,
            Reply<Entry> reply) override {
    if (is_ours(new_parent, new_name)) return reply(error(EEXIST));
    Forwarding::link(call, ino, new_parent, new_name, std::move(reply));
  }

  void clone(const Call& call, Ino source, Ino target, Reply<void> reply) override {
    // What cannot be written to says so.
    if (is_in_dot_tusk(target)) return of(target).clone(call, source, target, std::move(reply));
    Forwarding::clone(call, source, target, std::move(reply));
  }

  void readdir(const Call& call, Ino ino, Handle handle, std::uint64_t offset, std::size_t limit,
               bool plus, Reply<std::vector<DirEntry>> reply) override {
    if (shows_sidecar(ino)) {
      if (offset >= kBeside) return reply(beside(offset, limit));
      reply = with_beside(limit, std::move(reply));
    }
    if (ino == kRootIno) reply = without_ours(std::move(reply));
    Forwarding::readdir(call, ino, handle, offset, limit, plus, std::move(reply));
  }

  void interrupt(std::uint64_t token) override {
    core_.interrupt(token);
    past_.interrupt(token);
    if (setup_.sidecar) setup_.sidecar->interrupt(token);
  }
  void set_kernel_cache(KernelCache* cache) override {
    core_.set_kernel_cache(cache);
    if (setup_.sidecar) setup_.sidecar->set_kernel_cache(cache);
  }

 protected:
  Vfs& of(Ino ino) const override {
    if (is_in_sidecar(ino)) return *setup_.sidecar;
    return is_in_dot_tusk(ino) ? static_cast<Vfs&>(past_) : core_;
  }

 private:
  static bool is_dot_tusk(Ino parent, std::string_view name) {
    return parent == kRootIno && name == kDotTusk;
  }
  bool shows_sidecar(Ino folder) const {
    return setup_.sidecar && folder == (setup_.sidecar_in_root ? kRootIno : kDotTuskIno);
  }
  bool is_sidecars(Ino parent, std::string_view name) const {
    return shows_sidecar(parent) &&
           std::ranges::find(setup_.sidecar_names, name) != setup_.sidecar_names.end();
  }
  bool is_ours(Ino parent, std::string_view name) const {
    return is_dot_tusk(parent, name) || is_sidecars(parent, name);
  }

  std::vector<DirEntry> beside(std::uint64_t offset, std::size_t limit) const {
    std::vector<DirEntry> out;
    Attr folder;
    folder.ino = kSidecarIno;
    folder.mode = S_IFDIR;
    for (std::size_t i = offset - kBeside; i < setup_.sidecar_names.size() && out.size() < limit;
         i++)
      out.push_back({setup_.sidecar_names[i], kBeside + i + 1, folder, false});
    return out;
  }
  // After the folder's own names.
  Reply<std::vector<DirEntry>> with_beside(std::size_t limit, Reply<std::vector<DirEntry>> reply) {
    return [this, limit, reply = std::move(reply)](Outcome<std::vector<DirEntry>> entries) mutable {
      if (entries && entries->size() < limit)
        std::ranges::move(beside(kBeside, limit - entries->size()), std::back_inserter(*entries));
      reply(std::move(entries));
    };
  }
  // A row of such a name, made by SQL, cannot be reached: it must not be listed either.
  Reply<std::vector<DirEntry>> without_ours(Reply<std::vector<DirEntry>> reply) {
    return [this, reply = std::move(reply)](Outcome<std::vector<DirEntry>> entries) mutable {
      if (entries) {
        std::erase_if(*entries, [this](const DirEntry& entry) {
          if (!is_ours(kRootIno, entry.name)) return false;
          if (entry.counted) core_.forget(entry.attr.ino, 1);
          return true;
        });
      }
      reply(std::move(entries));
    };
  }

  Vfs& core_;
  const Setup setup_;
  mutable PastTree past_;
};

}  // namespace

std::unique_ptr<Vfs> with_dot_tusk(Vfs& core, Executor& executor, store::PastStore& store,
                                   Setup setup) {
  return std::make_unique<WithDotTusk>(core, executor, store, std::move(setup));
}

}  // namespace tusk::virt
