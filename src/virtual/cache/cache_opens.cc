// From a name of cache/ to a handle: a reader is given a value, a writer a place for the next one.
#include <fcntl.h>

#include <cerrno>

#include "virtual/cache/cache_tree.h"

namespace tusk::virt {

using vfs::Outcome;
using vfs::Reply;

void CacheTree::open(const vfs::Call& call, Ino ino, int flags, Reply<vfs::Opened> reply) {
  Value* value = values_.find(ino);
  if (!value) return reply(vfs::error(ESTALE));
  if ((flags & O_ACCMODE) != O_RDONLY) return open_writer(call, *value, flags, std::move(reply));
  open_reader(call, *value, std::move(reply));
}

// Where the name has another value by now, the newest is read past what the kernel keeps of this
// one.
void CacheTree::open_reader(const vfs::Call& call, Value& value, Reply<vfs::Opened> reply) {
  const auto finish = [this](Ino ino, const Value& newest) {
    Open open{.ino = ino, .key = newest.entry.key};
    open.bytes = newest.entry.bytes;
    hits_++;
    const bool is_this = newest.ino == ino;
    return vfs::Opened{.handle = add(std::move(open)), .lasting = is_this, .direct = !is_this};
  };
  const std::string key = value.entry.key;
  Value* newest = hears_ ? values_.current(key) : nullptr;
  if (newest && newest->was_written_by(call.pid)) newest->writer = 0;
  if (newest && newest->entry.bytes) return reply(finish(value.ino, *newest));
  ask_entry(key, true,
            [this, call, finish, ino = value.ino,
             held = waiting_.hold(call, std::move(reply))](Outcome<Value*> now) mutable {
              if (!waiting_.waits(call)) return;
              if (!now) return held(std::unexpected(now.error()));
              if (!*now || !(*now)->entry.bytes) {
                misses_++;
                return held(vfs::error(ENOENT));
              }
              held(finish(ino, **now));
            });
}

void CacheTree::open_writer(const vfs::Call& call, Value& value, int flags,
                            Reply<vfs::Opened> reply) {
  if (!value.is_coming()) return send_to_writers(call, value, std::move(reply));
  value.promised.erase(call.pid);
  Open open{.ino = value.ino, .key = value.entry.key, .opener = call.pid, .writes = true};
  open.appends = (flags & O_APPEND) != 0 && (flags & O_ACCMODE) == O_WRONLY;
  open.dirty = (flags & O_TRUNC) != 0;
  open.keep_ttl = !open.dirty;
  const auto opened = [this](Open ready) {
    return vfs::Opened{
        .handle = add(std::move(ready)), .lasting = false, .direct = true, .flush = true};
  };
  if (open.appends || open.dirty) return reply(opened(std::move(open)));
  ask_entry(value.entry.key, true,
            [this, call, opened, open = std::move(open),
             held = waiting_.hold(call, std::move(reply))](Outcome<Value*> now) mutable {
              if (!waiting_.waits(call)) return;
              if (!now) return held(std::unexpected(now.error()));
              if (!*now || !(*now)->entry.bytes) return held(vfs::error(ENOENT));
              open.buffer = *(*now)->entry.bytes;
              held(opened(std::move(open)));
            });
}

void CacheTree::create(const vfs::Call& call, Ino parent, std::string_view name, mode_t, int flags,
                       Reply<vfs::Created> reply) {
  const auto key = new_key_of(parent, name);
  if (!key) return reply(std::unexpected(key.error()));
  // The kernel looked the name up first, though nobody wanted to read it.
  if (misses_ > 0) misses_--;
  if (flags & O_EXCL) return create_new(call, *key, std::move(reply));
  Value& value = values_.writers(*key);
  Open open{.ino = value.ino, .key = *key, .opener = call.pid, .writes = true};
  open.dirty = true;
  const vfs::Entry entry = counted(value);
  reply(vfs::Created{
      entry, {.handle = add(std::move(open)), .lasting = false, .direct = true, .flush = true}});
}

// Who creates exclusively must know at once that nobody else does.
void CacheTree::create_new(const vfs::Call& call, const std::string& key,
                           Reply<vfs::Created> reply) {
  ask(
      key,
      [this, key](auto callback) {
        store().set(key, std::make_shared<const Buffer>(), {.only_new = true}, std::move(callback));
      },
      [this, call, key,
       held = waiting_.hold(call, std::move(reply))](Outcome<Value*> value) mutable {
        if (!value) return held(std::unexpected(value.error()));
        if (!*value) return held(vfs::error(EEXIST));
        if (!waiting_.waits(call)) return;
        Open open{.ino = (*value)->ino, .key = key, .opener = call.pid, .writes = true};
        const vfs::Entry entry = counted(**value);
        held(vfs::Created{
            entry,
            {.handle = add(std::move(open)), .lasting = false, .direct = true, .flush = true}});
      });
}

}  // namespace tusk::virt
