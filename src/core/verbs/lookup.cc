#include <algorithm>

#include "core/tree.h"
#include "core/verbs.h"

namespace tusk::core {

Attempt<vfs::Entry> lookup(Core& core, Ino parent, std::string_view name) {
  ATTEMPT(check_name(name));
  ATTEMPT_ASSIGN(Node * folder, loaded_folder(core, parent));
  Node* node = folder->dir->find(name);
  if (!node) return vfs::Entry{};  // known to be absent
  if (node->damaged) return error(EIO);
  return entry_of(*node);
}

void forget(Core& core, Ino ino, std::uint64_t count) {
  Node* node = core.table.find(ino);
  if (!node || node == core.root) return;
  node->lookups -= std::min(node->lookups, count);
  if (node->lookups == 0) core.release_if_unused(*node);
}

}  // namespace tusk::core
