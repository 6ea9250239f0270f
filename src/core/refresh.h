// What others have changed comes into memory.
#pragma once

#include <vector>

#include "tuskfs/store/store.h"

namespace tusk::core {

struct Core;

// `rows`: those of `ids` that are in the tree; the others are gone. Nothing of them is only in
// memory, as the delegation is away.
void refresh(Core& core, const std::vector<Uuid>& ids, const store::EntryRows& rows);

}  // namespace tusk::core
