// What is not in memory is asked of the store; who needs it waits. Each returns at once when it is
// there already.
#pragma once

#include "core/node.h"
#include "core/parking.h"

namespace tusk::core {

struct Core;

// The folder's entries are complete in memory.
Attempt<void> load_dir(Core& core, Node& folder);
// The node of a row: the one in memory, which is newer, or a new one.
Node& node_of(Core& core, const store::FolderRow& row);
Node& node_of(Core& core, const store::FileRow& row);
// A node in memory becomes what its row says. Its content in memory has been dropped.
void refill(Core& core, Node& node, const store::FolderRow& row);
void refill(Core& core, Node& node, const store::FileRow& row);
// The inline content (of a file or symlink) is in memory; files after it in its folder may come
// along when files are opened one after the other.
Attempt<void> load_whole(Core& core, Node& node);
// Chunks [first, last) are in memory or holes.
Attempt<void> load_chunks(Core& core, Node& node, std::int64_t first, std::int64_t last);
Attempt<void> load_chunk(Core& core, Node& node, std::int64_t chunk);
// Asks for chunks that a sequential reader will want, without waiting.
void read_ahead(Core& core, Node& node, std::int64_t first, std::int64_t last);
Attempt<void> load_xattrs(Core& core, Node& node);
// The further names of a hard-linked file.
Attempt<void> load_links(Core& core, Node& node);

}  // namespace tusk::core
