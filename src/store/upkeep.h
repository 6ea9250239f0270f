// What tuskfs backup and fsck leave in the database, for alerts about them.
#pragma once

#include <cstdint>
#include <string>

#include "connection.h"
#include "tuskfs/base/executor.h"
#include "tuskfs/base/ids.h"

namespace tusk::store {

struct BackupRecord {
  std::string location;
  std::int64_t bytes = -1;  // not known
  WallTime begun{};
  std::string problem = {};  // empty: it is whole
};
struct Checkup {
  TenantId tenant;
  bool scrubbed = false;
  std::int64_t errors = 0;
  std::int64_t missing = 0;  // of these: contents that are not there
};

// What was done is done: without the right to note it nothing is said, else a line of the log.
void record(Connection& connection, const BackupRecord& backup);
void record(Connection& connection, const Checkup& checkup);

}  // namespace tusk::store
