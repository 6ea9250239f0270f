#include "core/refresh.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <unordered_set>
#include <utility>

#include "core/content_ops.h"
#include "core/core.h"
#include "core/loads.h"
#include "core/tree.h"

namespace tusk::core {
namespace {

class Refresh {
 public:
  Refresh(Core& core, const std::vector<Uuid>& ids, const store::EntryRows& rows)
      : core_(core), ids_(ids), rows_(rows) {
    for (const store::LinkRow& link : rows_.links) links_[link.file].push_back(&link);
    for (const store::FolderRow& row : rows_.folders) in_tree_.insert(row.id.uuid);
    for (const store::FileRow& row : rows_.files) in_tree_.insert(row.id.uuid);
  }

  // All names go before any comes: two may have changed places.
  void run() {
    for (const Uuid& id : ids_) {
      Node* node = core_.table.find(id);
      // Gone here as well, which is still to be committed.
      if (node && node->gone) continue;
      if (node && node != core_.root && !node->damaged) leave_folders(*node);
    }
    leave_strays();
    for (const store::FolderRow& row : rows_.folders) take(row);
    for (const store::FileRow& row : rows_.files) take(row);
    tell_lost_names();
    for (const Uuid& id : ids_) settle(id);
    for (Node* folder : relisted_) push(*folder);
    if (!sustained_.empty()) core_.store.sustain(std::move(sustained_), true);
    core_.policy_epoch++;
    core_.trim_soon();
  }

 private:
  // Its removal is still to be committed, and not one that others undid.
  static bool is_leaving(const Node& node) {
    return node.gone && node.dirty & kDirtyGone && !node.displaced;
  }

  void leave_folders(Node& node) {
    leave(node, node.first);
    if (node.links)
      for (const Name& name : node.links->names) leave(node, name);
    if (node.dentries > 0) strays_.insert(&node);
  }

  // Further names that nobody asked for yet: one look at everything for all of them.
  void leave_strays() {
    if (strays_.empty()) return;
    std::vector<std::pair<Node*, Name>> names;
    core_.table.for_each([&](Node& folder) {
      if (!folder.dir) return;
      for (const auto& slot : folder.dir->slots())
        if (strays_.contains(slot.node))
          names.emplace_back(slot.node, Name{folder.folder_id(), slot.name});
    });
    for (const auto& [node, name] : names) leave(*node, name);
  }

  void leave(Node& node, const Name& name) {
    if (!node.is_folder && node.lookups > 0) left_.emplace_back(&node, name);
    tell_kernel(name.folder, name.name);
    Node* folder = loaded(name.folder);
    if (!folder || folder->dir->find(name.name) != &node) return;
    remove(*folder, name.name, node);
  }

  // Not those that it has again.
  void tell_lost_names() {
    if (!core_.kernel_cache) return;
    for (const auto& [node, name] : left_) {
      const bool is_further =
          node->links && std::ranges::find(node->links->names, name) != node->links->names.end();
      if (node->first != name && !is_further)
        core_.stale_names.lost(node->ino, core_.presence.round());
    }
  }

  static void remove(Node& folder, std::string_view name, Node& node) {
    folder.dir->remove(name);
    node.dentries--;
    if (node.is_folder) folder.meta.nlink--;
  }

  void enter(FolderId id, std::string_view name, Node& node) {
    tell_kernel(id, name);
    Node* folder = loaded(id);
    if (!folder) return;
    // That it has left this name as well is still to be told.
    if (Node* other = folder->dir->find(name)) remove(*folder, name, *other);
    core::enter(*folder, name, node);
    if (node.is_folder) folder->meta.nlink++;
  }

  // The folder if its entries are in memory.
  Node* loaded(FolderId id) const {
    Node* folder = core_.table.find(id.uuid);
    return folder && folder->dir && !folder->gone ? folder : nullptr;
  }

  void take(const store::FolderRow& row) {
    Node* node = core_.table.find(row.id.uuid);
    if (node && (node->damaged || is_leaving(*node))) return;
    if (!node && !loaded(row.parent)) return tell_kernel(row.parent, row.name);
    if (!node) node = &core_.table.add(row.id.uuid, true);
    const std::uint32_t nlink = node->meta.nlink;
    come_back(*node);
    // The root's is the tree's, and has another place.
    if (node != core_.root) node->own_policy.reset();
    refill(core_, *node, row);
    if (node->dir) node->meta.nlink = nlink;
    if (node != core_.root) enter(row.parent, row.name, *node);
  }

  void take(const store::FileRow& row) {
    std::vector<Name> further;
    for (const store::LinkRow* link : links_[row.id]) further.push_back({link->folder, link->name});
    const auto is_loaded = [this](const Name& name) { return loaded(name.folder) != nullptr; };
    Node* node = core_.table.find(row.id.uuid);
    if (node && (node->damaged || is_leaving(*node))) return;
    if (!node && !loaded(row.folder) && std::ranges::none_of(further, is_loaded)) {
      tell_kernel(row.folder, row.name);
      for (const Name& name : further) tell_kernel(name.folder, name.name);
      return;
    }
    if (!node) node = &core_.table.add(row.id.uuid, false);
    const WallTime atime = node->meta.atime;
    come_back(*node);
    drop_content(*node);
    refill(core_, *node, row);
    if (node->dirty & kDirtyLazy) node->meta.atime = std::max(atime, node->meta.atime);
    enter(row.folder, row.name, *node);
    for (const Name& name : further) enter(name.folder, name.name, *node);
    node->links = std::make_unique<Links>(Links{further, further});
  }

  // It is in the tree, whatever was known of it.
  static void come_back(Node& node) {
    // What is in a folder that was gone nobody followed.
    if (node.gone && node.dir && node.dir->open_handles == 0) node.dir.reset();
    node.gone = node.removed_elsewhere = false;
    node.deletion.reset();
    node.stored_name.reset();
    node.xattrs.reset();
  }

  void drop_content(Node& node) {
    if (!node.file.content) return;
    auto loading = std::move(node.file.content->loading);
    forget_content(core_, node);
    if (!loading.empty()) content_of(node).loading = std::move(loading);
  }

  // Nothing in memory has it any more, or it is gone, or the kernel is to look again.
  void settle(const Uuid& id) {
    Node* node = core_.table.find(id);
    if (!node || node->damaged) return;
    if (node != core_.root && !in_tree_.contains(id) && !node->gone) go(*node);
    if (node->lookups > 0) push(*node);
    if (node->lookups == 0) core_.release_if_unused(*node);
  }

  void push(Node& node) {
    if (!core_.kernel_cache) return;
    core_.kernel_cache->drop_inode(node.ino);
    node.pushed_in = core_.presence.round();
  }

  // As after an unlink here: what is open stays readable.
  void go(Node& node) {
    if (node.opens > 0 && !node.is_folder && !std::exchange(node.sustained, true))
      sustained_.push_back(node.file_id());
    node.gone = node.removed_elsewhere = true;
    node.counted = false;
    node.deletion = std::make_unique<store::Deletion>(store::Deletion{core_.now(), 0});
    if (!node.dir) return;
    for (const auto& slot : node.dir->slots())
      if (slot.node) slot.node->dentries--;
    const std::uint32_t handles = node.dir->open_handles;
    node.dir = std::make_unique<Dir>();
    node.dir->open_handles = handles;
  }

  // It may remember that the name is another's, or nobody's.
  void tell_kernel(FolderId id, std::string_view name) {
    Node* folder = core_.table.find(id.uuid);
    if (!core_.kernel_cache || !folder || folder->lookups == 0) return;
    core_.kernel_cache->drop_entry(folder->ino, name);
    relisted_.insert(folder);
  }

  Core& core_;
  const std::vector<Uuid>& ids_;
  const store::EntryRows& rows_;
  std::map<FileId, std::vector<const store::LinkRow*>> links_;
  std::unordered_set<Uuid> in_tree_;
  std::unordered_set<Node*> strays_;  // with entries under names that are not known
  std::vector<std::pair<Node*, Name>> left_;
  std::set<Node*> relisted_;       // folders whose listings the kernel may have
  std::vector<FileId> sustained_;  // removed, and open here
};

}  // namespace

void refresh(Core& core, const std::vector<Uuid>& ids, const store::EntryRows& rows) {
  Refresh(core, ids, rows).run();
}

}  // namespace tusk::core
