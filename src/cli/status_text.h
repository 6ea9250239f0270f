// What a driver says of itself when `tuskfs status` asks: one JSON object.
#pragma once

#include <string>

#include "cli/requests.h"
#include "tuskfs/core/filesystem.h"
#include "tuskfs/store/postgres.h"

namespace tusk::cli {

// What does not change while mounted.
struct MountFacts {
  int pid = 0;
  std::string host, mountpoint, data_dir, tenant, durability;
  bool read_only = false;
  std::string at;  // of a mount of the past
};
MountFacts facts_of(const MountRequest& request);

std::string status_text(const MountFacts& facts, const core::Status& core,
                        const store::PostgresStore::State& store);

// "2026-11-23T10:00:00.123Z"; empty for zero.
std::string iso_time(WallTime time);

}  // namespace tusk::cli
