// From the names of cache/ to keys: looking them up, removing and renaming them. A key that is too
// long for a name has one made of its hash.
#include <stdio.h>

#include <cerrno>

#include "tuskfs/base/utf8.h"
#include "virtual/cache/cache_tree.h"
#include "virtual/cache/names.h"
#include "virtual/names.h"

namespace tusk::virt {

using vfs::Outcome;
using vfs::Reply;

Outcome<std::string> CacheTree::key_of(Ino parent, std::string_view name) const {
  if (!is_top(parent)) return vfs::error(ENOTDIR);
  if (name.size() > kNameMax) return vfs::error(ENAMETOOLONG);
  if (!is_utf8(name)) return vfs::error(EILSEQ);
  auto key = key_of_name(name);
  if (!key) return vfs::error(ENOENT);
  return std::move(*key);
}

// Of one that is to be made.
Outcome<std::string> CacheTree::new_key_of(Ino parent, std::string_view name) const {
  if (hash_in_name(name)) return vfs::error(EPERM);
  auto key = key_of(parent, name);
  if (!key && key.error().value == ENOENT) return vfs::error(EINVAL);
  return key;
}

template <class T>
void CacheTree::with_key(const vfs::Call& call, Ino parent, std::string_view name, Reply<T> reply,
                         std::function<void(const std::string& key, Reply<T>)> next) {
  const auto hash = is_top(parent) ? hash_in_name(name) : std::nullopt;
  if (!hash) {
    const auto key = key_of(parent, name);
    return key ? next(*key, std::move(reply)) : reply(std::unexpected(key.error()));
  }
  store().find_by_hash(*hash,
                       [this, call, next = std::move(next),
                        held = waiting_.hold(call, std::move(reply))](Result<Found> found) mutable {
                         if (!waiting_.waits(call)) return;
                         if (!found) return held(vfs::error(errno_of(found.error())));
                         const bool is_it = *found && !name_of_key((*found)->key);
                         is_it ? next((*found)->key, std::move(held)) : held(vfs::error(ENOENT));
                       });
}

void CacheTree::lookup(const vfs::Call& call, Ino parent, std::string_view name,
                       Reply<vfs::Entry> reply) {
  with_key<vfs::Entry>(call, parent, name, std::move(reply),
                       [this, call](const std::string& key, Reply<vfs::Entry> found) {
                         lookup_key(call, key, std::move(found));
                       });
}

void CacheTree::lookup_key(const vfs::Call& call, const std::string& key, Reply<vfs::Entry> reply) {
  if (Value* value = values_.being_written(key)) return reply(counted(*value));
  if (Value* value = hears_ ? values_.current(key) : nullptr)
    return reply(counted(value->expects(call.pid) ? lasting_writers(*value) : *value));
  ask_entry(
      key, false,
      [this, call, held = waiting_.hold(call, std::move(reply))](Outcome<Value*> value) mutable {
        if (!waiting_.waits(call)) return;
        if (!value) return held(std::unexpected(value.error()));
        if (!*value) {
          misses_++;
          return held(vfs::error(ENOENT));
        }
        held(counted(**value));
      });
}

// Without it each value that a program sets in a loop costs six requests more: the kernel would
// find the present one, be refused, and look for the writers'.
Value& CacheTree::lasting_writers(const Value& present) {
  Value& value = writers_of(present);
  value.is_lasting = true;
  return value;
}

void CacheTree::unlink(const vfs::Call& call, Ino parent, std::string_view name,
                       Reply<void> reply) {
  with_key<void>(call, parent, name, std::move(reply),
                 [this, call](const std::string& key, Reply<void> found) {
                   remove_key(call, key, std::move(found));
                 });
}

void CacheTree::remove_key(const vfs::Call& call, const std::string& key, Reply<void> reply) {
  begin_question(key);
  store().remove(
      key, [this, key, held = waiting_.hold(call, std::move(reply))](Result<bool> removed) mutable {
        end_question(key);
        values_.forget_key(key);
        if (!removed) return held(vfs::error(errno_of(removed.error())));
        *removed ? held({}) : held(vfs::error(ENOENT));
      });
}

void CacheTree::rename(const vfs::Call& call, Ino parent, std::string_view name, Ino new_parent,
                       std::string_view new_name, unsigned flags, Reply<void> reply) {
  if (flags & ~unsigned{RENAME_NOREPLACE}) return reply(vfs::error(EINVAL));
  if (!is_top(new_parent)) return reply(vfs::error(EXDEV));
  const auto new_key = new_key_of(new_parent, new_name);
  if (!new_key) return reply(std::unexpected(new_key.error()));
  with_key<void>(
      call, parent, name, std::move(reply),
      [this, call, new_key = *new_key, flags](const std::string& key, Reply<void> found) {
        rename_key(call, key, new_key, flags, std::move(found));
      });
}

void CacheTree::rename_key(const vfs::Call& call, const std::string& key,
                           const std::string& new_key, unsigned flags, Reply<void> reply) {
  begin_question(key);
  begin_question(new_key);
  store().rename(key, new_key, (flags & RENAME_NOREPLACE) != 0,
                 [this, key, new_key,
                  held = waiting_.hold(call, std::move(reply))](Result<bool> renamed) mutable {
                   const bool newest = end_question(key) & end_question(new_key);
                   if (!renamed) return held(vfs::error(errno_of(renamed.error())));
                   if (!*renamed) return held(vfs::error(EEXIST));
                   values_.move(key, new_key);
                   if (!newest) values_.forget_key(new_key);
                   held({});
                 });
}

}  // namespace tusk::virt
