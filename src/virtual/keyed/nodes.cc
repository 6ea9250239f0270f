#include "virtual/keyed/nodes.h"

#include <algorithm>

namespace tusk::virt {

KeyedNodes::KeyedNodes(const Place& top, Ino first)
    : top_(top), first_(static_cast<std::uint64_t>(first)), last_ino_(first_ - 1) {
  add({&top, {}}, first);
  for (const Place& folder : top.places) add({&folder, {}}, first);
}

KeyedNode* KeyedNodes::find(Ino ino) {
  const auto found = by_ino_.find(static_cast<std::uint64_t>(ino));
  return found == by_ino_.end() ? nullptr : found->second;
}
const KeyedNode* KeyedNodes::find(Ino ino) const {
  const auto found = by_ino_.find(static_cast<std::uint64_t>(ino));
  return found == by_ino_.end() ? nullptr : found->second;
}

const KeyedNode& KeyedNodes::top_folder(std::string_view name) const {
  const auto found = std::ranges::find(top_.places, name, &Place::name);
  const auto number = static_cast<std::uint64_t>(found - top_.places.begin());
  return *find(Ino{first_ + 1 + number});
}

KeyedNode& KeyedNodes::add(const Spot& spot, Ino parent) {
  const auto [at, is_new] = nodes_.try_emplace(Id{spot.place, spot.keys});
  KeyedNode& node = at->second;
  if (is_new) {
    node.ino = Ino{++last_ino_};
    node.parent = parent;
    node.spot = spot;
    by_ino_[last_ino_] = &node;
  }
  node.lookups++;
  return node;
}

void KeyedNodes::forget(Ino ino, std::uint64_t count) {
  KeyedNode* node = find(ino);
  // The other tree that shows a folder of the top counts no lookups of it.
  if (!node || (node->spot.keys.empty() && node->spot.place->is_folder())) return;
  node->lookups -= std::min(node->lookups, count);
  if (node->lookups > 0) return;
  const Id id{node->spot.place, node->spot.keys};
  by_ino_.erase(static_cast<std::uint64_t>(ino));
  nodes_.erase(id);
}

}  // namespace tusk::virt
