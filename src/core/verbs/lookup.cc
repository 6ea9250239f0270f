#include <algorithm>

#include "core/tree.h"
#include "core/verbs.h"

namespace tusk::core {
namespace {

vfs::Entry absent(const Core& core) {
  vfs::Entry entry;
  if (!core.presence.is_alone()) entry.attr.name_valid = vfs::Valid::never;
  return entry;
}

}  // namespace

// A name that is missing may be one that another mount has just made, and that of a file may be
// another file's by now: an open is told of the file alone, which may be there still by another
// name.
Attempt<vfs::Entry> lookup(Core& core, const vfs::Call& call, Ino parent, std::string_view name,
                           Presence::Look& look) {
  ATTEMPT(check_name(name));
  ATTEMPT_ASSIGN(Node * folder, loaded_folder(core, parent));
  Node* node = folder->dir->find(name);
  if ((!node || !node->is_folder) && !core.presence.is_alone()) {
    ATTEMPT(core.presence.catch_up(look));
    ATTEMPT_ASSIGN(folder, loaded_folder(core, parent));
    node = folder->dir->find(name);
  }
  if (!node) return absent(core);
  if (node->damaged) return error(EIO);
  core.stale_names.found(call, node->ino);
  return entry_of(*node);
}

void forget(Core& core, Ino ino, std::uint64_t count) {
  Node* node = core.table.find(ino);
  if (!node || node == core.root) return;
  node->lookups -= std::min(node->lookups, count);
  if (node->lookups == 0) core.release_if_unused(*node);
}

}  // namespace tusk::core
