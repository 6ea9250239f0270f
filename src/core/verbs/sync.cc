// fsync of a file, and of everything.
#include "core/publish.h"
#include "core/verbs.h"

namespace tusk::core {
namespace {

Attempt<void> wait_durable(Core& core, GroupNo target) {
  if (core.txg.is_durable(target) || core.options.durability == Durability::none) return {};
  if (core.txg.fenced()) return error(EIO);
  return wait_on(core.txg.want_durable());
}

Attempt<void> wait_committed(Core& core, GroupNo target) {
  if (core.txg.is_committed(target)) return {};
  if (core.txg.fenced()) return error(EIO);
  return wait_on(core.txg.want_commit());
}

// What was written is not where it was meant to be: told once.
Attempt<void> check_displaced(Node& node) {
  if (std::exchange(node.displaced, false)) return error(EIO);
  return {};
}

}  // namespace

Attempt<void> fsync(Core& core, Ino ino, std::optional<GroupNo>& target) {
  // Looked at again after the commit, which may have found that the database refuses it.
  ATTEMPT_ASSIGN(Node * node, core.node(ino));
  if (!target) {
    if (!node->is_folder) publish(core, *node);
    // A name is as durable as its folder: fsync of a new file must be enough to find it again.
    target = node->group;
  }
  ATTEMPT(wait_durable(core, *target));
  return check_displaced(*node);
}

Attempt<void> flush(Core& core, Ino ino, std::optional<GroupNo>& target) {
  if (core.presence.is_alone() || core.delegation.is_away()) return {};
  ATTEMPT_ASSIGN(Node * node, core.node(ino));
  if (!target) {
    if (!node->is_folder) publish(core, *node);
    target = node->group;
  }
  ATTEMPT(wait_committed(core, *target));
  return check_displaced(*node);
}

Attempt<void> await_stored(Core& core, GroupNo group) {
  if (core.delegation.is_away() && !core.txg.is_committed(group)) return {};
  ATTEMPT(wait_committed(core, group));
  if (core.txg.was_displaced(group)) return error(EIO);
  return {};
}

Attempt<void> sync_all(Core& core, std::optional<GroupNo>& target) {
  if (!target) {
    core.txg.publish_all();
    target = core.txg.last_changed();
  }
  return wait_durable(core, *target);
}

Attempt<void> commit_all(Core& core, std::optional<GroupNo>& target) {
  if (!target) target = core.txg.last_changed();
  return wait_committed(core, *target);
}

}  // namespace tusk::core
