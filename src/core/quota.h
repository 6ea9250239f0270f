// What the tree holds at this moment, to the byte, and whether more fits into its quota. Lengths of
// contents count from the write that makes them, not from their publication, so that nothing is
// acknowledged that there is no room for.
#pragma once

#include <cstdint>

#include "core/parking.h"
#include "tuskfs/store/rows.h"

namespace tusk::core {

struct Core;
struct Node;

struct Claims {
  // What memory has more than Core::usage, the counters as of the last cut.
  store::Usage unsaved;
  // For clones and things from the trash, until the database has counted them.
  store::Usage promised;
  // All that was ever added: how much may be new since a moment.
  store::Usage grown;
};

store::Usage usage_now(const Core& core);
// EDQUOT when the tree may not grow by that much. What shrinks or stays is never refused.
Attempt<void> check_room(const Core& core, const store::Usage& more);
// The same for a file that is about to have another length.
Attempt<void> check_size(const Core& core, const Node& file, std::uint64_t size);

// The file has another length.
void set_size(Core& core, Node& file, std::uint64_t size);
// A node was made; it has lost its last name.
void count_new(Core& core, const Node& node);
void count_gone(Core& core, const Node& node);
// A clone or something from the trash will be there with the next group.
void promise(Core& core, const store::Usage& more);

}  // namespace tusk::core
