// Something leaves the trash. The store brings back its rows and all that went with it; here only
// the name is made, and who looks below it waits until the group has committed (cloned_in).
#include "core/asking.h"
#include "core/loads.h"
#include "core/quota.h"
#include "core/tree.h"
#include "core/verbs.h"

namespace tusk::core {
namespace {

// Files in the trash that are still open would go on as what is in the trash.
std::vector<FileId> open_in_trash(const Core& core) {
  std::vector<FileId> ids;
  for (const auto& [handle, file] : core.open_files) {
    if (file.node->gone && file.node->deletion) ids.push_back(file.node->file_id());
  }
  return ids;
}

void ask_trashed(Core& core, Uuid id, std::shared_ptr<RestoreCheck> check) {
  core.store.load_trashed(
      {id, open_in_trash(core)}, [&core, id, check](Result<store::TrashedEntry> entry) {
        if (asked_again(core, entry, [&core, id, check] { ask_trashed(core, id, check); })) return;
        check->entry = std::move(entry);
        core.lot.wake(check->waiters);
      });
}

Node& take_back(Core& core, store::TrashedEntry& entry, const Node& folder, std::string_view name) {
  if (auto* row = std::get_if<store::FolderRow>(&entry.row)) {
    row->parent = folder.folder_id();
    row->name = name;
    core.policy_epoch++;
    return node_of(core, *row);
  }
  auto& row = std::get<store::FileRow>(entry.row);
  row.folder = folder.folder_id();
  row.name = name;
  row.meta.nlink = 1;
  return node_of(core, row);
}

Attempt<void> settled(Core& core, const Uuid& id, GroupNo group) {
  if (!core.txg.is_committed(group)) return wait_on(core.txg.want_commit());
  Node* node = core.table.find(id);
  if (!node || node->gone) return {};
  if (node->damaged) return error(EIO);
  // It counts the links of a folder as well.
  if (node->is_folder) ATTEMPT(load_dir(core, *node));
  return {};
}

}  // namespace

Attempt<void> restore(Core& core, const Uuid& id, Ino parent, std::string_view name,
                      const std::shared_ptr<RestoreCheck>& check) {
  if (check->group) return settled(core, id, *check->group);
  if (core.options.read_only) return error(EROFS);
  ATTEMPT(check_name(name));
  ATTEMPT(core.txg.admit(0));
  ATTEMPT_ASSIGN(Node * folder, loaded_folder(core, parent));
  if (folder->gone) return error(ENOENT);
  if (folder->dir->find(name)) return error(EEXIST);
  if (!std::exchange(check->asked, true)) ask_trashed(core, id, check);
  if (!check->entry) return wait_on(check->waiters);
  if (!*check->entry) return error(check->entry->error().code);
  if ((*check->entry)->has_any) return error(EBUSY);
  ATTEMPT(check_room(core, (*check->entry)->usage));
  if (!core.txg.can_cut()) return wait_on(core.txg.want_commit());
  const WallTime now = core.now();
  Node& node = take_back(core, **check->entry, *folder, name);
  enter(*folder, name, node);
  if (node.is_folder) folder->meta.nlink++;
  touch_folder(core, *folder, now);
  check->group = node.cloned_in = node.group = core.txg.open_number();
  promise(core, (*check->entry)->usage);
  core.restores.push_back({id, folder->folder_id(), std::string(name), now});
  // What is done to it from now on belongs to a later group.
  core.txg.cut_now();
  return settled(core, id, *check->group);
}

}  // namespace tusk::core
