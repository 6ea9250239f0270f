// Content on its way between rows of the database and objects outside of it. An object gets chunks
// by several groups and is ended by the one that publishes it; until that has committed, what is
// not in memory is where it was.
#pragma once

#include "core/node.h"
#include "tuskfs/store/store.h"

namespace tusk::core {

struct Core;

// Whether the content that is to be published or staged goes to an object.
bool goes_out(Core& core, Node& node);
// Whether it is, or may become, an object's before it is next published.
bool has_object(const Node& node);

// The object that the coming content goes to; begun when there is none yet.
ContentLayer& coming_object(Core& core, Node& node);
// The content is published outside, or no longer is: what the cut is to do about it.
void publish_out(Core& core, Node& node, GroupNo group);
void publish_in(Node& node, GroupNo group);
// The content is published as another file's object, which is stored already.
void publish_adopted(Node& node, Uuid object);
// The coming content needs no object any more.
void abandon_coming(Node& node);

// The file's content, whatever its size, goes to an object or comes back into the database, until
// it is next published. EOPNOTSUPP without objects, EINVAL for what has no content.
Attempt<void> move_tier(Core& core, Node& node, bool out);

// Where chunks that are not in memory are asked for. They are in rows all of them or none.
store::ChunkQuery chunk_query(Core& core, Node& node, store::ChunkRange range);
// Rows are on their way out: whether they are still there is known once the group has committed.
bool rows_are_leaving(const Core& core, Content& content);
// Whether a chunk is in a row though the content as a whole is not: it was staged there.
bool is_staged_row(const Node& node, std::int64_t chunk);
// Forgets objects on their way that have arrived.
void settle_layers(const Core& core, Content& content);

}  // namespace tusk::core
