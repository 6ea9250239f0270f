// A whole tree as values, to be compared with another.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "support/fs_calls.h"

namespace tusk::test {

struct SnapshotOptions {
  bool attributes = true;  // modes, owners, links
  bool mtimes = true;
  bool ctimes = false;
  bool xattrs = true;
  bool blocks_bounded = false;  // no file may take more space than its size and a little
};

// From path below the root to all that is known of it; "" is the root.
using Snapshot = std::map<std::string, std::string>;

Snapshot snapshot_of(const Path& root, const SnapshotOptions& options = {});

// One line for every path that differs, at most twenty.
std::vector<std::string> differences(const Snapshot& expected, const Snapshot& actual);

}  // namespace tusk::test
