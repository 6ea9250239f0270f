// The one connection that asks the cache's schema and writes to it; used by the cache's thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <utility>
#include <vector>

#include "connection.h"
#include "tuskfs/base/result.h"

namespace tusk::store {

class CacheSession {
 public:
  // Tells the server's process that it is connected to, and the longest value.
  CacheSession(ConnectionContext& context, std::atomic<int>& pid, std::atomic<std::uint64_t>& limit)
      : context_(context), pid_(pid), limit_(limit) {}

  // A lost connection is opened again once. Where the schema is missing a reader is answered
  // nothing, and for a writer it is made.
  Result<std::vector<PgResult>> ask(
      std::initializer_list<std::pair<const char*, Params>> statements, bool writes);
  // The longest value may be another now.
  void learn_limit();

 private:
  PgExpected<std::vector<PgResult>> try_ask(
      std::initializer_list<std::pair<const char*, Params>> statements);
  PgExpected<void> connect();
  Result<void> make_schema();

  ConnectionContext& context_;
  std::atomic<int>& pid_;
  std::atomic<std::uint64_t>& limit_;
  std::unique_ptr<Connection> connection_;
};

}  // namespace tusk::store
