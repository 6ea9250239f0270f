// opendir, readdir, releasedir.
#include "core/tree.h"
#include "core/verbs.h"

namespace tusk::core {
namespace {

// Offsets: 1 after ".", 2 after "..", then 3 + the entry's position.
constexpr std::uint64_t kFirstEntry = 2;

vfs::DirEntry dot(const Node& node, std::string_view name, std::uint64_t next) {
  return {name, next, {.ino = node.ino, .mode = node.meta.mode}, false};
}

}  // namespace

Attempt<vfs::Opened> opendir(Core& core, Ino ino, Presence::Look& look) {
  ATTEMPT_ASSIGN(Node * folder, core.folder(ino));
  ATTEMPT(core.presence.catch_up(look));
  ATTEMPT(core.presence.kernel_forgot(*folder));
  if (!folder->gone) {
    ATTEMPT_ASSIGN(folder, loaded_folder(core, ino));
    folder->dir->open_handles++;
  }
  folder->opens++;
  return vfs::Opened{Handle{static_cast<std::uint64_t>(ino)}};
}

Attempt<std::vector<vfs::DirEntry>> readdir(Core& core, Ino ino, std::uint64_t offset,
                                            std::size_t limit, bool plus) {
  std::vector<vfs::DirEntry> out;
  ATTEMPT_ASSIGN(Node * folder, core.folder(ino));
  if (folder->gone) return out;
  ATTEMPT_ASSIGN(folder, loaded_folder(core, ino));
  out.reserve(limit);
  if (offset == 0) out.push_back(dot(*folder, ".", 1));
  if (offset <= 1) {
    const Node* parent = folder == core.root ? folder : core.table.find(folder->first.folder.uuid);
    out.push_back(dot(parent ? *parent : *folder, "..", 2));
  }
  const auto& slots = folder->dir->slots();
  std::size_t at = offset > kFirstEntry ? static_cast<std::size_t>(offset - kFirstEntry) : 0;
  for (; at < slots.size() && out.size() < limit; at++) {
    Node* node = slots[at].node;
    if (!node) continue;
    const bool counted = plus && !node->damaged;
    if (counted) node->lookups++;
    out.push_back({slots[at].name, at + 1 + kFirstEntry, attr_of(*node), counted});
  }
  return out;
}

void releasedir(Core& core, Ino ino) {
  Node* folder = core.table.find(ino);
  if (!folder) return;
  folder->opens--;
  if (folder->dir && folder->dir->open_handles > 0) folder->dir->open_handles--;
  if (folder->lookups == 0) core.release_if_unused(*folder);
}

}  // namespace tusk::core
