// Every inode in memory, by number and by id.
#pragma once

#include <memory>
#include <unordered_map>

#include "core/node.h"

namespace tusk::core {

class InodeTable {
 public:
  // The number comes from the id; two ids that collide get neighbouring ones.
  Node& add(const Uuid& id, bool is_folder);
  Node& add_root(const Uuid& id);
  Node* find(Ino ino) const;
  Node* find(const Uuid& id) const;
  void erase(Node& node);
  std::size_t size() const { return by_ino_.size(); }

  template <class Fn>
  void for_each(Fn&& fn) {
    for (auto& [ino, node] : by_ino_) fn(*node);
  }

 private:
  Node& insert(const Uuid& id, bool is_folder, Ino ino);

  struct InoHash {
    std::size_t operator()(Ino ino) const {
      return static_cast<std::size_t>(static_cast<std::uint64_t>(ino) * 0x9e3779b97f4a7c15u);
    }
  };
  std::unordered_map<Ino, std::unique_ptr<Node>, InoHash> by_ino_;
  std::unordered_map<Uuid, Node*> by_id_;
};

}  // namespace tusk::core
