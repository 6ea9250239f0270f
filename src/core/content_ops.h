// Changes of content in memory. Each is an attempt: it says what it waits for before it changes
// anything.
#pragma once

#include "core/node.h"
#include "core/parking.h"

namespace tusk::core {

struct Core;

Content& content_of(Node& node);

// A run of changes begins: what is published is kept aside until the next publication.
Content& begin_change(Core& core, Node& node);

// Copies `data` in at `offset`; the file grows as needed. Sets neither times nor set-id bits.
Attempt<void> write_content(Core& core, Node& node, std::uint64_t offset, ByteSpan data);
Attempt<void> truncate_content(Core& core, Node& node, std::uint64_t size);
// [offset, offset + size) within the file reads as zeros; whole chunks become holes.
Attempt<void> zero_content(Core& core, Node& node, std::uint64_t offset, std::uint64_t size);
// Pieces of [offset, offset + size), which lies within the file.
Attempt<vfs::Content> read_content(Core& core, Node& node, std::uint64_t offset,
                                   std::uint64_t size);

// Inline content, which is in memory or empty, becomes chunks.
void to_chunks(Core& core, Node& node);
// Whole chunks become a hole.
void void_chunks(Core& core, Node& node, store::ChunkRange range);
// Chunks that are in memory, or holes, are to be stored anew as they are.
void rewrite_chunks(Core& core, Node& node, store::ChunkRange range);
// A whole chunk becomes the stored one of `source`, whose content is published. publish() must
// follow in the same attempt.
void share_chunk(Core& core, Node& source, std::int64_t from, Node& target, std::int64_t to);
// The empty file becomes what `source`, whose content is published, has as its object. publish()
// must follow in the same attempt.
void adopt_object(Core& core, Node& source, Node& target);
// Drops all of a node's content from memory.
void forget_content(Core& core, Node& node);

}  // namespace tusk::core
