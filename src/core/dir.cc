#include "core/dir.h"

#include <utility>

namespace tusk::core {

Node* Dir::find(std::string_view name) const {
  const auto it = index_.find(name);
  return it == index_.end() ? nullptr : slots_[it->second].node;
}

void Dir::add(std::string_view name, Node& node) {
  slots_.push_back({std::string(name), &node});
  index_.emplace(slots_.back().name, slots_.size() - 1);
}

void Dir::remove(std::string_view name) {
  const auto it = index_.find(name);
  if (it == index_.end()) return;
  Slot& slot = slots_[it->second];
  index_.erase(it);
  slot.node = nullptr;
  slot.name = {};
  if (slots_.size() > 64 && slots_.size() > 2 * index_.size()) compact();
}

void Dir::replace(std::string_view name, Node& node) {
  if (const auto it = index_.find(name); it != index_.end()) slots_[it->second].node = &node;
}

std::size_t Dir::position(std::string_view name) const {
  const auto it = index_.find(name);
  return it == index_.end() ? slots_.size() : it->second;
}

void Dir::compact() {
  if (open_handles > 0) return;
  std::deque<Slot> kept;
  index_.clear();
  for (Slot& slot : slots_) {
    if (!slot.node) continue;
    kept.push_back(std::move(slot));
    index_.emplace(kept.back().name, kept.size() - 1);
  }
  slots_ = std::move(kept);
  prefetch_position = 0;
}

}  // namespace tusk::core
