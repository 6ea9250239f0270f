// From written to published to cut: a content reaches the database only as it was at a publication.
#pragma once

#include "core/cut.h"
#include "core/node.h"

namespace tusk::core {

struct Core;

// What was written becomes the file's content: the next cut takes it. Nothing to do when nothing is
// unpublished.
void publish(Core& core, Node& node);

// Lets the next cut store all dirty chunks ahead of their publication. False for inline content,
// which has no such form.
bool stage_everything(Core& core, Node& node);

// Called by the cut for a node with kDirtyStage: appends the sealed chunks.
void cut_staged(Core& core, Node& node, GroupNo number, Cut& cut);
// Called by the cut for a node with kDirtyContent: appends chunks, drops and shares.
void cut_delta(Core& core, Node& node, GroupNo number, Cut& cut);

}  // namespace tusk::core
