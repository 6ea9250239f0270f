#include <stdio.h>

#include <algorithm>

#include "core/loads.h"
#include "core/policy.h"
#include "core/tree.h"
#include "core/verbs.h"

namespace tusk::core {
namespace {

struct Side {
  Node* folder;
  std::string_view name;
  Node* node;  // null: no such entry
};

void rename_node(Core& core, Node& node, const Side& from, const Side& to) {
  const Name old{from.folder->folder_id(), std::string(from.name)};
  Name now{to.folder->folder_id(), std::string(to.name)};
  if (node.first == old) {
    keep_stored_name(node, core.now());
    node.first = std::move(now);
    core.txg.mark(node, kDirtyRow);
  } else {
    std::ranges::replace(node.links->names, old, now);
    core.txg.mark(node, kDirtyRow | kDirtyLinks);
  }
}

// A folder that moves may inherit other settings.
void note_new_place(Core& core, const Node& node, const Side& from, const Side& to) {
  if (!node.is_folder || from.folder == to.folder) return;
  if (&policy_of(core, *from.folder) != &policy_of(core, *to.folder)) core.policy_epoch++;
}

void move_subfolder_count(const Node& node, Side& from, Side& to) {
  if (!node.is_folder || from.folder == to.folder) return;
  from.folder->meta.nlink--;
  to.folder->meta.nlink++;
}

Attempt<void> exchange(Core& core, Side from, Side to) {
  if (!to.node) return error(ENOENT);
  if (from.node == to.node) return {};
  if (from.node->is_folder && is_below(core, *from.node, *to.folder)) return error(EINVAL);
  if (to.node->is_folder && is_below(core, *to.node, *from.folder)) return error(EINVAL);
  from.folder->dir->replace(from.name, *to.node);
  to.folder->dir->replace(to.name, *from.node);
  rename_node(core, *from.node, from, to);
  rename_node(core, *to.node, to, from);
  move_subfolder_count(*from.node, from, to);
  move_subfolder_count(*to.node, to, from);
  note_new_place(core, *from.node, from, to);
  note_new_place(core, *to.node, to, from);
  const WallTime now = core.now();
  from.node->meta.ctime = to.node->meta.ctime = now;
  touch_folder(core, *from.folder, now);
  touch_folder(core, *to.folder, now);
  return {};
}

Attempt<void> check_replace(Core& core, const Side& from, const Side& to) {
  if (from.node->is_folder && !to.node->is_folder) return error(ENOTDIR);
  if (!from.node->is_folder && to.node->is_folder) return error(EISDIR);
  if (to.node->is_folder) {
    ATTEMPT(load_dir(core, *to.node));
    if (!to.node->dir->empty()) return error(ENOTEMPTY);
  } else if (to.node->meta.nlink > 1) {
    ATTEMPT(load_links(core, *to.node));
  }
  return {};
}

Attempt<void> move(Core& core, Side from, Side to, const RenameArgs& args) {
  if (from.node == to.node) return {};  // two names of one file: POSIX does nothing
  if (from.node->is_folder && is_below(core, *from.node, *to.folder)) return error(EINVAL);
  const WallTime now = core.now();
  if (to.node) {
    ATTEMPT(check_replace(core, from, to));
    ATTEMPT(check_unreferenced(core, *to.node, args.check));
    leave(core, *to.folder, to.name, *to.node, args.by);
    to.node->meta.ctime = now;
  }
  from.folder->dir->remove(from.name);
  to.folder->dir->add(to.name, *from.node);
  rename_node(core, *from.node, from, to);
  move_subfolder_count(*from.node, from, to);
  note_new_place(core, *from.node, from, to);
  from.node->meta.ctime = now;
  touch_folder(core, *from.folder, now);
  touch_folder(core, *to.folder, now);
  return {};
}

}  // namespace

Attempt<void> rename(Core& core, const RenameArgs& args) {
  if (args.flags & ~unsigned{RENAME_NOREPLACE | RENAME_EXCHANGE}) return error(EINVAL);
  ATTEMPT(check_name(args.name));
  ATTEMPT(check_name(args.new_name));
  ATTEMPT(core.txg.admit(0));
  ATTEMPT_ASSIGN(Node * folder, loaded_folder(core, args.parent));
  ATTEMPT_ASSIGN(Node * new_folder, loaded_folder(core, args.new_parent));
  if (new_folder->gone) return error(ENOENT);
  ATTEMPT_ASSIGN(Node * node, find_entry(*folder, args.name));
  const Side from{folder, args.name, node};
  const Side to{new_folder, args.new_name, new_folder->dir->find(args.new_name)};
  if (args.flags & RENAME_NOREPLACE && to.node) return error(EEXIST);
  if (!node->is_folder && node->meta.nlink > 1) ATTEMPT(load_links(core, *node));
  if (!(args.flags & RENAME_EXCHANGE)) return move(core, from, to, args);
  if (to.node && !to.node->is_folder && to.node->meta.nlink > 1)
    ATTEMPT(load_links(core, *to.node));
  return exchange(core, from, to);
}

}  // namespace tusk::core
