// Turns the open group's nodes into rows.
#pragma once

#include <memory>
#include <vector>

#include "core/node.h"
#include "tuskfs/store/group.h"

namespace tusk::core {

struct Core;

// What of a node is in the usage counters.
struct Counted {
  bool counted = false;
  std::uint64_t bytes = 0;
  static Counted of(const Node& node) { return {node.counted, node.stored_size}; }
};

struct Cut {
  std::shared_ptr<store::Group> group;
  std::vector<Counted> before;                        // of each node, without this group
  std::vector<std::shared_ptr<DirtyCharge>> charges;  // to be held until the group has committed
};

// The database refuses the node's rows for good: EIO from now on, and never cut again. What it has
// of the node is as it was `before` their group.
void give_up(Core& core, Node& node, const Counted& before);

// Takes all dirty bits off `nodes`.
Cut cut_group(Core& core, const std::vector<Node*>& nodes, GroupNo number, bool durable);

}  // namespace tusk::core
