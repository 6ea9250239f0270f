#include "tuskfs/core/filesystem.h"

#include "core/verbs.h"

namespace tusk::core {
namespace {

using namespace vfs;

// Takes the verbs' arguments apart from their callers' memory, so that they can wait.
class CoreFilesystem final : public Filesystem {
 public:
  CoreFilesystem(Executor& executor, store::Store& store, const store::Attached& attached,
                 const Options& options)
      : core_(executor, store, attached, options) {}

  void lookup(const Call& call, Ino parent, std::string_view name, Reply<Entry> reply) override {
    run(call, std::move(reply),
        [this, call, parent, name = std::string(name), look = Presence::Look()]() mutable {
          return core::lookup(core_, call, parent, name, look);
        });
  }
  void forget(Ino ino, std::uint64_t count) override { core::forget(core_, ino, count); }
  void getattr(const Call& call, Ino ino, Reply<Attr> reply) override {
    run(call, std::move(reply), [this, ino] { return core::getattr(core_, ino); });
  }
  void setattr(const Call& call, Ino ino, const AttrChange& change, Reply<Attr> reply) override {
    if (change.size) reply = as_if_closed(ino, std::move(reply));
    this->change(call, std::move(reply),
                 [this, call, ino, change] { return core::setattr(core_, call, ino, change); });
  }
  void readlink(const Call& call, Ino ino, Reply<std::string_view> reply) override {
    run(call, std::move(reply), [this, ino] { return core::readlink(core_, ino); });
  }

  void mknod(const Call& call, Ino parent, std::string_view name, mode_t mode, dev_t rdev,
             Reply<Entry> reply) override {
    change(call, std::move(reply), [this, call, parent, name = std::string(name), mode, rdev] {
      return core::mknod(core_, call, parent, name, mode, rdev);
    });
  }
  void mkdir(const Call& call, Ino parent, std::string_view name, mode_t mode,
             Reply<Entry> reply) override {
    change(call, std::move(reply), [this, call, parent, name = std::string(name), mode] {
      return core::mkdir(core_, call, parent, name, mode);
    });
  }
  void symlink(const Call& call, Ino parent, std::string_view name, std::string_view target,
               Reply<Entry> reply) override {
    change(call, std::move(reply),
           [this, call, parent, name = std::string(name), target = std::string(target)] {
             return core::symlink(core_, call, parent, name, target);
           });
  }
  void unlink(const Call& call, Ino parent, std::string_view name, Reply<void> reply) override {
    change(call, std::move(reply),
           [this, call, parent, name = std::string(name),
            check = std::shared_ptr<ReferenceCheck>()]() mutable {
             return core::unlink(core_, call, parent, name, check);
           });
  }
  void rmdir(const Call& call, Ino parent, std::string_view name, Reply<void> reply) override {
    change(call, std::move(reply),
           [this, call, parent, name = std::string(name),
            check = std::shared_ptr<ReferenceCheck>()]() mutable {
             return core::rmdir(core_, call, parent, name, check);
           });
  }
  void rename(const Call& call, Ino parent, std::string_view name, Ino new_parent,
              std::string_view new_name, unsigned flags, Reply<void> reply) override {
    change(call, std::move(reply),
           [this, by = call.uid, parent, name = std::string(name), new_parent,
            new_name = std::string(new_name), flags,
            check = std::shared_ptr<ReferenceCheck>()]() mutable {
             return core::rename(core_, {by, parent, name, new_parent, new_name, flags, check});
           });
  }
  void link(const Call& call, Ino ino, Ino new_parent, std::string_view new_name,
            Reply<Entry> reply) override {
    change(call, std::move(reply), [this, ino, new_parent, new_name = std::string(new_name)] {
      return core::link(core_, ino, new_parent, new_name);
    });
  }

  void open(const Call& call, Ino ino, int flags, Reply<Opened> reply) override {
    run(call, std::move(reply), [this, call, ino, flags, arrival = Arrival()]() mutable {
      return core::open(core_, call, ino, flags, arrival);
    });
  }
  void create(const Call& call, Ino parent, std::string_view name, mode_t mode, int flags,
              Reply<Created> reply) override {
    run(call, std::move(reply), [this, call, parent, name = std::string(name), mode, flags] {
      return core::create(core_, call, parent, name, mode, flags);
    });
  }
  void read(const Call& call, Ino ino, Handle, std::uint64_t offset, std::size_t size,
            Reply<vfs::Content> reply) override {
    run(call, std::move(reply),
        [this, ino, offset, size] { return core::read(core_, ino, offset, size); });
  }
  void write(const Call& call, Ino ino, Handle handle, std::uint64_t offset, ByteSpan data,
             Reply<std::size_t> reply) override {
    reply = as_if_closed(ino, std::move(reply));
    // The bytes are copied aside only if they must wait.
    auto done = core::write(core_, call, ino, handle, offset, data);
    if (done) return reply(*done);
    if (!done.error().on) return reply(vfs::error(done.error().code));
    run(call, std::move(reply),
        [this, call, ino, handle, offset, kept = Buffer(data.begin(), data.end())] {
          return core::write(core_, call, ino, handle, offset, kept);
        });
  }
  void flush(const Call& call, Ino ino, Handle, Reply<void> reply) override {
    if (wants_flush()) return fsync(call, ino, {}, std::move(reply));
    run(call, std::move(reply), [this, ino, target = std::optional<GroupNo>()]() mutable {
      return core::flush(core_, ino, target);
    });
  }
  void release(Ino, Handle handle) override { core::release(core_, handle); }
  void fsync(const Call& call, Ino ino, Handle, Reply<void> reply) override {
    run(call, std::move(reply), [this, ino, target = std::optional<GroupNo>()]() mutable {
      return core::fsync(core_, ino, target);
    });
  }

  void opendir(const Call& call, Ino ino, Reply<Opened> reply) override {
    run(call, std::move(reply),
        [this, ino, look = Presence::Look()]() mutable { return core::opendir(core_, ino, look); });
  }
  void readdir(const Call& call, Ino ino, Handle, std::uint64_t offset, std::size_t limit,
               bool plus, Reply<std::vector<DirEntry>> reply) override {
    run(call, std::move(reply), [this, ino, offset, limit, plus] {
      return core::readdir(core_, ino, offset, limit, plus);
    });
  }
  void releasedir(Ino ino, Handle) override { core::releasedir(core_, ino); }
  void fsyncdir(const Call& call, Ino, Reply<void> reply) override { sync(call, std::move(reply)); }
  void statfs(const Call&, Reply<Statfs> reply) override { reply(core::statfs(core_)); }

  void setxattr(const Call& call, Ino ino, std::string_view name, ByteSpan value, int flags,
                Reply<void> reply) override {
    change(call, std::move(reply),
           [this, call, ino, name = std::string(name), kept = Buffer(value.begin(), value.end()),
            flags] { return core::setxattr(core_, call, ino, name, kept, flags); });
  }
  void getxattr(const Call& call, Ino ino, std::string_view name, Reply<ByteSpan> reply) override {
    run(call, std::move(reply),
        [this, ino, name = std::string(name), scratch = std::string()]() mutable {
          return core::getxattr(core_, ino, name, scratch);
        });
  }
  void listxattr(const Call& call, Ino ino, Reply<std::string_view> reply) override {
    run(call, std::move(reply), [this, ino, scratch = std::string()]() mutable {
      return core::listxattr(core_, ino, scratch);
    });
  }
  void removexattr(const Call& call, Ino ino, std::string_view name, Reply<void> reply) override {
    change(call, std::move(reply), [this, call, ino, name = std::string(name)] {
      return core::removexattr(core_, call, ino, name);
    });
  }

  void fallocate(const Call& call, Ino ino, Handle, int mode, std::uint64_t offset,
                 std::uint64_t size, Reply<void> reply) override {
    reply = as_if_closed(ino, std::move(reply));
    change(call, std::move(reply), [this, call, ino, mode, offset, size] {
      return core::fallocate(core_, call, ino, mode, offset, size);
    });
  }
  void copy_file_range(const Call& call, const CopyRange& range,
                       Reply<std::size_t> reply) override {
    reply = as_if_closed(range.target, std::move(reply));
    run(call, std::move(reply),
        [this, call, range] { return core::copy_file_range(core_, call, range); });
  }
  void clone(const Call& call, Ino source, Ino target, Reply<void> reply) override {
    change(call, std::move(reply),
           [this, call, source, target, check = std::make_shared<CloneCheck>()] {
             return core::clone(core_, call, source, target, check);
           });
  }
  void lseek(const Call& call, Ino ino, std::uint64_t offset, int whence,
             Reply<std::uint64_t> reply) override {
    run(call, std::move(reply),
        [this, ino, offset, whence] { return core::lseek(core_, ino, offset, whence); });
  }

  void getlk(const Call&, Ino ino, const Lock& wanted, Reply<Lock> reply) override {
    core_.file_locks.local().find(ino, wanted, std::move(reply));
  }
  void setlk(const Call& call, Ino ino, const Lock& wanted, bool waits,
             Reply<void> reply) override {
    if (wanted.type == LockType::none) return unlock(call, ino, wanted, std::move(reply));
    run<void>(
        call,
        [this, call, ino, wanted, waits, reply = std::move(reply)](Outcome<void> awake) mutable {
          if (!awake) return reply(awake);
          lock(call, ino, wanted, waits, std::move(reply));
        },
        [] { return Attempt<void>(); });
  }
  void release_locks(Ino ino, Handle handle) override {
    core_.file_locks.local().closed(ino, handle);
  }

  void interrupt(std::uint64_t token) override {
    core_.lot.interrupt(token);
    core_.file_locks.local().interrupt(token);
  }
  bool wants_flush() const override { return core_.options.durability == Durability::close; }

  void set_kernel_cache(KernelCache* cache) override { core_.kernel_cache = cache; }

  Status status() const override {
    const Txg::Facts facts = core_.txg.facts();
    return {.dirty_bytes = core_.dirty_bytes,
            .dirty_inodes = facts.dirty_nodes,
            .cached_inodes = core_.table.size(),
            .cached_bytes = core_.cache.bytes(),
            .group_committed = static_cast<std::int64_t>(facts.committed),
            .group_durable = static_cast<std::int64_t>(facts.durable),
            .last_commit = facts.last_commit,
            .groups = facts.groups,
            .inodes_committed = facts.inodes,
            .commit_p50 = core_.txg.commit_time().quantile(0.5),
            .commit_p99 = core_.txg.commit_time().quantile(0.99),
            .commit_most = core_.txg.commit_time().most(),
            .lag = facts.lag,
            .has_delegation = core_.delegation.is_held(),
            .presence = core_.presence.name(),
            .delegations_lent = core_.delegation.lent(),
            .last_error = facts.last_error};
  }
  void sync_all(Reply<void> reply) override { sync(Call{}, std::move(reply)); }
  void note_snapshot(WallTime at) override {
    core_.last_snapshot = std::max(core_.last_snapshot, at);
  }
  void commit_all(Reply<void> reply) override {
    run(Call{}, std::move(reply), [this, target = std::optional<GroupNo>()]() mutable {
      return core::commit_all(core_, target);
    });
  }
  void restore(const Call& call, const Uuid& id, Ino parent, std::string_view name,
               Reply<void> reply) override {
    change(call, std::move(reply),
           [this, id, parent, name = std::string(name), check = std::make_shared<RestoreCheck>()] {
             return core::restore(core_, id, parent, name, check);
           });
  }
  bool is_open(const Uuid& id) const override {
    const Node* node = core_.table.find(id);
    return node && node->opens > 0;
  }
  void close_all() override {
    while (!core_.open_files.empty()) core::release(core_, Handle{core_.open_files.begin()->first});
  }
  void set_status_text(std::function<std::string()> text) override {
    core_.status_text = std::move(text);
  }

 private:
  // Whoever has the lock finds what those wrote who had it before.
  void lock(const Call& call, Ino ino, const Lock& wanted, bool waits, Reply<void> reply) {
    core_.file_locks.local().set(
        ino, wanted, waits, call.token,
        [this, call, ino, reply = std::move(reply)](Outcome<void> given) mutable {
          if (!given) return reply(given);
          run<void>(call, std::move(reply), [this, ino, look = Presence::Look()]() mutable {
            return core::look_anew(core_, ino, look);
          });
        });
  }
  // And so it is committed before it is let go of, as far as it can be.
  void unlock(const Call& call, Ino ino, const Lock& wanted, Reply<void> reply) {
    if (!core_.file_locks.local().has(ino)) return reply({});
    run<void>(
        call,
        [this, ino, wanted, reply = std::move(reply)](Outcome<void> committed) mutable {
          core_.file_locks.local().set(
              ino, wanted, false, 0,
              [committed, reply = std::move(reply)](Outcome<void> freed) mutable {
                reply(committed ? freed : committed);
              });
        },
        [this, ino, target = std::optional<GroupNo>()]() mutable {
          return core::flush(core_, ino, target);
        });
  }

  template <class T, class Fn>
  void run(const Call& call, Reply<T> reply, Fn attempt) {
    if (core_.presence.attend()) [[likely]]
      return core_.lot.run(call.token, std::move(reply), std::move(attempt));
    core_.lot.run(call.token, std::move(reply),
                  [this, attempt = std::move(attempt)]() mutable -> Attempt<T> {
                    ATTEMPT(core_.presence.attend());
                    return attempt();
                  });
  }
  // For a verb that changes what others may look for.
  template <class T, class Fn>
  void change(const Call& call, Reply<T> reply, Fn attempt) {
    if (!core_.presence.is_alone()) reply = once_committed(std::move(reply));
    run(call, std::move(reply), std::move(attempt));
  }
  // The change is made: it is answered so also when its caller is interrupted while it waits. EIO
  // when it is not known to be stored, or not where it was made (lost+found).
  template <class T>
  Reply<T> once_committed(Reply<T> reply) {
    return [this, reply = std::move(reply)](vfs::Outcome<T> outcome) mutable {
      if (!outcome || !core_.presence.is_shared()) return reply(std::move(outcome));
      core_.lot.run<void>(
          0,
          [this, reply = std::move(reply),
           outcome = std::move(outcome)](const vfs::Outcome<void>& stored) mutable {
            if (stored || stored.error().value != EIO) return reply(std::move(outcome));
            // The kernel does not get to know it.
            if constexpr (std::is_same_v<T, vfs::Entry>) core::forget(core_, outcome->attr.ino, 1);
            reply(vfs::error(EIO));
          },
          [this, group = core_.txg.last_changed()] { return core::await_stored(core_, group); });
    };
  }
  // For a verb that changes a content. Who opened the file while this mount was alone may close it
  // at any moment, and is not heard: each change is committed as at a close.
  template <class T>
  Reply<T> as_if_closed(Ino ino, Reply<T> reply) {
    if (core_.presence.is_alone() || !core::is_written_quietly(core_, ino)) return reply;
    return [this, ino, reply = std::move(reply)](vfs::Outcome<T> outcome) mutable {
      if (!outcome) return reply(std::move(outcome));
      core_.lot.run<void>(
          0,
          [reply = std::move(reply),
           outcome = std::move(outcome)](const vfs::Outcome<void>& flushed) mutable {
            flushed ? reply(std::move(outcome)) : reply(std::unexpected(flushed.error()));
          },
          [this, ino, target = std::optional<GroupNo>()]() mutable {
            return core::flush(core_, ino, target);
          });
    };
  }
  void sync(const Call& call, Reply<void> reply) {
    run(call, std::move(reply), [this, target = std::optional<GroupNo>()]() mutable {
      return core::sync_all(core_, target);
    });
  }

  Core core_;
};

}  // namespace

std::unique_ptr<Filesystem> make_filesystem(Executor& executor, store::Store& store,
                                            const store::Attached& attached,
                                            const Options& options) {
  return std::make_unique<CoreFilesystem>(executor, store, attached, options);
}

}  // namespace tusk::core
