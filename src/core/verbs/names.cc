// What makes and removes names: mknod, mkdir, symlink, link, unlink, rmdir.
#include <limits>

#include "core/content_ops.h"
#include "core/loads.h"
#include "core/publish.h"
#include "core/tree.h"
#include "core/verbs.h"

namespace tusk::core {
namespace {

constexpr std::uint32_t kLinkMax = 65'000;  // as ext4
constexpr std::size_t kTargetMax = 4095;

}  // namespace

Attempt<vfs::Entry> mknod(Core& core, const vfs::Call& call, Ino parent, std::string_view name,
                          mode_t mode, dev_t rdev) {
  ATTEMPT_ASSIGN(Node * node, make_node(core, call, parent, name, {mode, rdev}));
  node->file.left_empty = true;
  return entry_of(*node);
}

Attempt<vfs::Entry> mkdir(Core& core, const vfs::Call& call, Ino parent, std::string_view name,
                          mode_t mode) {
  const mode_t kept = S_IFDIR | (mode & 07777);
  ATTEMPT_ASSIGN(Node * node, make_node(core, call, parent, name, {kept, 0}));
  return entry_of(*node);
}

Attempt<vfs::Entry> symlink(Core& core, const vfs::Call& call, Ino parent, std::string_view name,
                            std::string_view target) {
  if (target.size() > kTargetMax) return error(ENAMETOOLONG);
  ATTEMPT_ASSIGN(Node * node,
                 make_node(core, call, parent, name, {S_IFLNK | 0777, 0, target.size()}));
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(target.data());
  ATTEMPT(write_content(core, *node, 0, {bytes, target.size()}));
  publish(core, *node);
  return entry_of(*node);
}

Attempt<vfs::Entry> link(Core& core, Ino ino, Ino new_parent, std::string_view new_name) {
  ATTEMPT(check_name(new_name));
  ATTEMPT(core.txg.admit(0));
  ATTEMPT_ASSIGN(Node * node, core.node(ino));
  if (node->is_folder) return error(EPERM);
  if (node->gone) return error(ENOENT);
  if (node->meta.nlink >= kLinkMax) return error(EMLINK);
  ATTEMPT_ASSIGN(Node * folder, loaded_folder(core, new_parent));
  if (folder->gone) return error(ENOENT);
  if (folder->dir->find(new_name)) return error(EEXIST);
  ATTEMPT(load_links(core, *node));
  const WallTime now = core.now();
  enter(*folder, new_name, *node);
  node->links->names.push_back({folder->folder_id(), std::string(new_name)});
  node->meta.nlink++;
  node->meta.ctime = now;
  core.txg.mark(*node, kDirtyRow | kDirtyLinks);
  touch_folder(core, *folder, now);
  return entry_of(*node);
}

Attempt<void> unlink(Core& core, const vfs::Call& call, Ino parent, std::string_view name,
                     std::shared_ptr<ReferenceCheck>& check) {
  ATTEMPT(check_name(name));
  ATTEMPT(core.txg.admit(0));
  ATTEMPT_ASSIGN(Node * folder, loaded_folder(core, parent));
  ATTEMPT_ASSIGN(Node * node, find_entry(*folder, name));
  if (node->is_folder) return error(EISDIR);
  if (node->meta.nlink > 1) ATTEMPT(load_links(core, *node));
  ATTEMPT(check_unreferenced(core, *node, check));
  const WallTime now = core.now();
  leave(core, *folder, name, *node, call.uid);
  node->meta.ctime = now;
  touch_folder(core, *folder, now);
  return {};
}

Attempt<void> rmdir(Core& core, const vfs::Call& call, Ino parent, std::string_view name,
                    std::shared_ptr<ReferenceCheck>& check) {
  ATTEMPT(check_name(name));
  ATTEMPT(core.txg.admit(0));
  ATTEMPT_ASSIGN(Node * folder, loaded_folder(core, parent));
  ATTEMPT_ASSIGN(Node * node, find_entry(*folder, name));
  if (!node->is_folder) return error(ENOTDIR);
  ATTEMPT(load_dir(core, *node));
  if (!node->dir->empty()) return error(ENOTEMPTY);
  ATTEMPT(check_unreferenced(core, *node, check));
  const WallTime now = core.now();
  leave(core, *folder, name, *node, call.uid);
  node->meta.ctime = now;
  touch_folder(core, *folder, now);
  return {};
}

}  // namespace tusk::core
