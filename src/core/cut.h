// Turns the open group's nodes into rows.
#pragma once

#include <memory>
#include <vector>

#include "core/node.h"
#include "tuskfs/store/group.h"

namespace tusk::core {

struct Core;

struct Cut {
  std::shared_ptr<store::Group> group;
  std::vector<std::shared_ptr<DirtyCharge>> charges;  // to be held until the group has committed
};

// The database refuses the node's rows for good: EIO from now on, and never cut again.
void give_up(Core& core, Node& node);

// Takes all dirty bits off `nodes`.
Cut cut_group(Core& core, const std::vector<Node*>& nodes, GroupNo number, bool durable);

}  // namespace tusk::core
