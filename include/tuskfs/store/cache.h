// The cache of a database (schema tusk_cache): keys and values with an end. Asynchronous as Store.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tuskfs/base/bytes.h"
#include "tuskfs/base/executor.h"
#include "tuskfs/base/result.h"
#include "tuskfs/store/store.h"

namespace tusk::store {

struct CacheEntry {
  std::string key;
  std::uint64_t size = 0;
  WallTime created_at{};
  std::optional<WallTime> expires_at;
  SharedBytes bytes;  // null: not asked for
};

// What others changed.
struct CacheChange {
  bool all = false;  // anything may have
  std::vector<std::string> keys;
};

struct CacheWrite {
  bool only_new = false;
  bool keep_ttl = false;
};

struct CacheValue {
  std::string key;
  SharedBytes bytes;
  bool keep_ttl = false;
};

// What is asked of sessions, limits, flags and the cache's settings: a statement of
// sql/queries/keyed.sql. Its parameters and the columns of its answer are all text.
struct KeyedQuestion {
  std::string statement;
  std::vector<std::string> params = {};
  bool writes = false;
};
using KeyedRows = std::vector<std::vector<std::optional<std::string>>>;

// Errors: ENOTCONN the server cannot be reached; EACCES a right is missing; EFBIG the value is too
// long; EINVAL; ERANGE; EIO. Reading a database without the schema finds nothing; writing makes it.
// What is asked for is done in that order.
class CacheStore {
 public:
  struct Watcher {
    std::function<void(CacheChange)> changed;
    // Whether changes are heard of from now on; what was known before must be asked for again.
    std::function<void(bool)> hears;
  };
  // The watcher is called on the executor's thread; `before_connect` on the cache's, before each
  // attempt; may be empty.
  static std::unique_ptr<CacheStore> start(Executor&, const std::string& conninfo, Watcher,
                                           std::function<void()> before_connect = {});
  virtual ~CacheStore() = default;

  virtual void get(const std::string& key, Callback<Result<std::optional<CacheEntry>>>) = 0;
  virtual void find(const std::string& key, Callback<Result<std::optional<CacheEntry>>>) = 0;
  // By the sha256 of the key's bytes in hex: a key that is longer than 85 bytes.
  virtual void find_by_hash(const std::string& hash,
                            Callback<Result<std::optional<CacheEntry>>>) = 0;
  virtual void scan(const std::string& after, int limit,
                    Callback<Result<std::vector<CacheEntry>>>) = 0;
  // The entry as it is then; empty: there was one, with `only_new`.
  virtual void set(const std::string& key, SharedBytes, CacheWrite,
                   Callback<Result<std::optional<CacheEntry>>>) = 0;
  // Each key once; all of them or none. The entries as they are then, without their bytes.
  virtual void set_all(std::vector<CacheValue>, Callback<Result<std::vector<CacheEntry>>>) = 0;
  virtual void append(const std::string& key, SharedBytes,
                      Callback<Result<std::optional<CacheEntry>>>) = 0;
  // False: there is none.
  virtual void remove(const std::string& key, Callback<Result<bool>>) = 0;
  // False: there is one of the new name already, with `only_new`. ENOENT.
  virtual void rename(const std::string& key, const std::string& new_key, bool only_new,
                      Callback<Result<bool>>) = 0;
  // Empty: no end. False: there is no such key.
  virtual void expire(const std::string& key, std::optional<WallTime> at,
                      Callback<Result<bool>>) = 0;
  // Removes a batch of what has come to its end. Whether there may be more.
  virtual void sweep(Callback<Result<bool>>) = 0;
  virtual void ask(KeyedQuestion, Callback<Result<KeyedRows>>) = 0;
  // What limit() tells is asked for again.
  virtual void settings_changed() = 0;
  // Waits for everything that was asked for, but not for its answers.
  virtual void drain() = 0;
  // The longest value.
  virtual std::uint64_t limit() const = 0;
};

}  // namespace tusk::store
