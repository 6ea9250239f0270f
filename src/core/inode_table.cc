#include "core/inode_table.h"

namespace tusk::core {

Node& InodeTable::insert(const Uuid& id, bool is_folder, Ino ino) {
  auto node = std::make_unique<Node>();
  node->id = id;
  node->ino = ino;
  node->is_folder = is_folder;
  Node& added = *node;
  by_ino_.emplace(ino, std::move(node));
  by_id_.emplace(id, &added);
  return added;
}

Node& InodeTable::add(const Uuid& id, bool is_folder) {
  std::uint64_t ino = id.low62();
  // 0 is no inode, 1 is the root.
  while (ino < 2 || by_ino_.contains(Ino{ino})) ino++;
  return insert(id, is_folder, Ino{ino});
}

Node& InodeTable::add_root(const Uuid& id) { return insert(id, true, kRootIno); }

Node* InodeTable::find(Ino ino) const {
  const auto it = by_ino_.find(ino);
  return it == by_ino_.end() ? nullptr : it->second.get();
}

Node* InodeTable::find(const Uuid& id) const {
  const auto it = by_id_.find(id);
  return it == by_id_.end() ? nullptr : it->second;
}

void InodeTable::erase(Node& node) {
  by_id_.erase(node.id);
  by_ino_.erase(node.ino);
}

}  // namespace tusk::core
