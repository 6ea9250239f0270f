#include "virtual/table.h"

#include <algorithm>

namespace tusk::virt {
namespace {

// Folders must not have two names, as the kernel could not tell which is the way up: their place is
// what they are. A file is told by its content as well: what the kernel has read of it stays true.
std::string key_of(Ino parent, const Item& item) {
  if (!item.identity.empty()) return "i" + item.identity;
  std::string key = "p" + std::to_string(static_cast<std::uint64_t>(parent)) + "/" + item.name;
  if (const auto* file = std::get_if<File>(&item.what)) {
    key += "/" + file->row.id.uuid.text() + std::to_string(file->row.version);
  }
  return key;
}

}  // namespace

Table::Table(Item top, Ino ino) : top_(ino) {
  auto node = std::make_unique<Node>();
  node->ino = ino;
  node->parent = kRootIno;
  node->item = std::move(top);
  node->lookups = 1;  // stays
  nodes_.emplace(static_cast<std::uint64_t>(ino), std::move(node));
}

Node* Table::find(Ino ino) {
  const auto found = nodes_.find(static_cast<std::uint64_t>(ino));
  return found == nodes_.end() ? nullptr : found->second.get();
}

vfs::Attr Table::set_top(Item top) {
  Node& node = *find(top_);
  node.item = std::move(top);
  vfs::Attr attr = node.item.attr;
  attr.ino = top_;
  return attr;
}

// From the key, so that it is the same again after the kernel forgot it.
Ino Table::number_of(const std::string& key) const {
  std::uint64_t number = (std::hash<std::string>{}(key) | kDotTuskBit) & ~kSidecarBit;
  for (;; number = ((number + 1) | kDotTuskBit) & ~kSidecarBit) {
    const auto taken = nodes_.find(number);
    if (taken == nodes_.end() || taken->second->key == key) return Ino{number};
  }
}

Ino Table::number_of(Ino parent, const Item& item) const { return number_of(key_of(parent, item)); }

Node& Table::add(Ino parent, const Item& item) {
  std::string key = key_of(parent, item);
  const Ino ino = number_of(key);
  auto& node = nodes_[static_cast<std::uint64_t>(ino)];
  if (!node) {
    node = std::make_unique<Node>();
    node->ino = ino;
    node->parent = parent;
    node->key = std::move(key);
  }
  node->item = item;
  node->lookups++;
  return *node;
}

void Table::forget(Ino ino, std::uint64_t count) {
  Node* node = find(ino);
  if (!node || ino == top_) return;
  node->lookups -= std::min(node->lookups, count);
  if (node->lookups == 0) nodes_.erase(static_cast<std::uint64_t>(ino));
}

}  // namespace tusk::virt
