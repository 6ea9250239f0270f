// What a mount knows of the cache: values, each an inode that never changes. A key that gets
// another value gets another inode, so what the kernel keeps of one stays true.
#pragma once

#include <sys/types.h>

#include <functional>
#include <list>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>

#include "tuskfs/base/executor.h"
#include "tuskfs/store/cache.h"

namespace tusk::virt {

struct Value {
  Ino ino{};
  store::CacheEntry entry;  // bytes null: not loaded
  bool current = false;     // the key's value, as far as is known
  bool is_coming() const { return entry.created_at.ns == 0; }
  // What was written to it can be what it is from now on; else others are on their way to write.
  bool can_settle() const { return is_coming() && promised.empty() && !is_lasting; }
  bool is_in_use() const { return opens > 0 || !promised.empty(); }
  std::uint64_t lookups = 0;
  std::uint32_t opens = 0;
  pid_t writer = 0;           // who wrote it, or the one before, and has not read it since
  bool is_rewritten = false;  // who wrote it wrote the one before as well, and so maybe the next
  bool expects(pid_t pid) const { return is_rewritten && was_written_by(pid); }
  bool was_written_by(pid_t pid) const { return pid != 0 && writer == pid; }
  // Of who writes again and again: where each next value is written, whatever becomes of it.
  bool is_lasting = false;
  std::set<pid_t> promised;         // to writers who will look it up and have not opened it yet
  MonotonicTime promised_at{};      // the last time
  std::list<Ino>::iterator used{};  // of those with bytes
};

class Values {
 public:
  // `outdated` is told of each key whose value is another from now on; of the empty one: of all.
  using Outdated = std::function<void(const std::string& key)>;
  Values(Executor& executor, std::uint64_t first_ino, Outdated outdated)
      : executor_(executor), last_ino_(first_ino), outdated_(std::move(outdated)) {}

  Value* find(Ino ino);
  // The key's value, unless it has come to its end.
  Value* current(const std::string& key);
  // The value becomes the key's: the one known already when it is the same.
  Value& install(store::CacheEntry entry);
  // A value that no key has yet.
  Value& make(const std::string& key);
  // The inode that who writes the key's next value gets, so that the kernel does not touch what
  // readers have of the present one.
  Value& writers(const std::string& key);
  // The same, while somebody writes or is on the way to.
  Value* being_written(const std::string& key);
  // Unless somebody writes, or will: the name means the present value again.
  void end_writers(const Value& value);
  // It becomes its key's value.
  void settle(Value& value, store::CacheEntry entry);
  void keep_bytes(Value& value, SharedBytes bytes);
  // The key has another value now, or none.
  void forget_key(const std::string& key);
  void forget_all_keys();
  void move(const std::string& key, const std::string& new_key);
  // Frees it when nobody refers to it. A key's value of which the bytes are known stays, up to a
  // limit.
  void release(Value& value);

 private:
  static constexpr std::size_t kMostBytes = 64u << 20, kMostValues = 20'000;  // with bytes

  void trim();
  void drop_writers(const Value& value);

  Executor& executor_;
  std::uint64_t last_ino_;
  const Outdated outdated_;
  std::unordered_map<std::uint64_t, std::unique_ptr<Value>> values_;
  std::unordered_map<std::string, Value*> current_;
  std::unordered_map<std::string, Value*> writers_;
  std::list<Ino> recent_;  // those with bytes, the latest used first
  std::size_t bytes_ = 0;
};

}  // namespace tusk::virt
