// The quota of a tree as the database has it.
#pragma once

#include <atomic>

#include "connection.h"
#include "tuskfs/base/ids.h"
#include "tuskfs/store/quota.h"

namespace tusk::store {

PgExpected<Quota> load_quota(Connection& connection, TenantId tenant);

// Read by the core thread, which takes no lock, while another one looks after it.
class KnownQuota {
 public:
  void set(const Quota& quota) {
    bytes_.store(quota.bytes.value_or(kNone), std::memory_order_relaxed);
    files_.store(quota.files.value_or(kNone), std::memory_order_relaxed);
  }
  Quota get() const { return {limit(bytes_), limit(files_)}; }

 private:
  static constexpr std::int64_t kNone = -1;
  static std::optional<std::int64_t> limit(const std::atomic<std::int64_t>& known) {
    const std::int64_t value = known.load(std::memory_order_relaxed);
    return value == kNone ? std::nullopt : std::optional(value);
  }

  std::atomic<std::int64_t> bytes_ = kNone, files_ = kNone;
};

}  // namespace tusk::store
