// Looking for what must not be in the database, and putting right what can be.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "tuskfs/base/result.h"
#include "tuskfs/objects/objects.h"

namespace tusk::store {

struct FsckOptions {
  std::string conninfo;  // may hold a password: never logged
  std::string tenant;    // empty: every tree, and rows that belong to none
  bool repair = false;  // takes the trees as a mount does; else it reads, beside a mount if need be
  bool scrub = false;   // reads every content and verifies its checksum
  objects::Access objects = {};  // with `scrub`: to read their contents
};

struct Finding {
  std::string check;   // file of sql/checks without its ending, or scrub_…
  std::string tree;    // empty: none
  std::string row;     // JSON object
  std::string remedy;  // what a repair does; empty: there is none
};

struct FsckWatcher {
  std::function<void(const Finding&)> found;         // each finding once
  std::function<void(std::int64_t bytes)> scrubbed;  // so far; now and then; may be empty
};

struct FsckOutcome {
  std::int64_t repaired = 0;
  std::int64_t left = 0;
  std::int64_t scrubbed_bytes = 0;
};

// One moment of the database; repairs are one transaction. EBUSY when a tree that is to be repaired
// is mounted.
Result<FsckOutcome> fsck(const FsckOptions& options, const FsckWatcher& watcher);

}  // namespace tusk::store
