// The trees of a database: each is a tenant's, and a mount shows one. Blocking.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tuskfs/base/result.h"
#include "tuskfs/store/quota.h"
#include "tuskfs/store/rows.h"

namespace tusk::store {

struct TenantFacts {
  std::string name;
  Usage usage;  // as committed
  std::string created_at;
  std::string mounted_by;  // "host H pid P at PATH since T"; empty: it is not mounted
  Quota quota;
};

// What the counters of a tree say, and what is there, in one moment.
struct CountedTenant {
  std::string name;
  Usage counted;
  Usage found;
};

class Tenants {
 public:
  // Errors with a line for people.
  static Result<std::unique_ptr<Tenants>> open(const std::string& conninfo);
  virtual ~Tenants() = default;

  virtual Result<std::vector<TenantFacts>> list() = 0;  // by name
  // An empty tree whose root is the caller's. EEXIST; EINVAL for a name that is none.
  virtual Result<void> create(const std::string& name) = 0;
  // Also while it is mounted. ENOENT, EEXIST, EINVAL.
  virtual Result<void> rename(const std::string& name, const std::string& to) = 0;
  // Also while it is mounted, which it learns within a second. ENOENT.
  virtual Result<void> set_quota(const std::string& name, const Quota& quota) = 0;
  // Counts all trees, or one (ENOENT), also while they are mounted. With `repair` the difference is
  // noted as SQL clients' changes are, which mounts take up; EBUSY when a mount does not let others
  // write.
  virtual Result<std::vector<CountedTenant>> count(const std::string& name, bool repair) = 0;
  // With everything in it, its history too, when `purge`; in one transaction. ENOENT; ENOTEMPTY
  // without `purge`; EBUSY while it is mounted, while objects outside the database belong to it, or
  // while rows of applications refer to its files.
  virtual Result<void> remove(const std::string& name, bool purge) = 0;
};

}  // namespace tusk::store
