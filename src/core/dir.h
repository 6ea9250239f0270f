// The entries of one folder in memory: found by name, listed by a position that stays true while
// other entries come and go.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>

#include "tuskfs/base/executor.h"

namespace tusk::core {

struct Node;

class Dir {
 public:
  struct Slot {
    std::string name;
    Node* node = nullptr;  // null: the entry is gone, its position is not given to another
  };

  Node* find(std::string_view name) const;
  void add(std::string_view name, Node& node);
  void remove(std::string_view name);
  // The same name now means another node; its position stays.
  void replace(std::string_view name, Node& node);
  std::size_t size() const { return index_.size(); }
  bool empty() const { return index_.empty(); }

  // Slots in order of position; gone ones have no node.
  const std::deque<Slot>& slots() const { return slots_; }
  // Position of a name, or slots().size().
  std::size_t position(std::string_view name) const;

  // Forgets positions of entries that are gone. Only while no handle is open on the folder.
  void compact();

  std::uint32_t open_handles = 0;
  MonotonicTime used{};  // when a verb last worked in it
  // Where the last content missing from memory was asked for, and how many to load next time.
  std::size_t prefetch_position = 0;
  std::size_t prefetch_count = 1;

 private:
  std::deque<Slot> slots_;  // a deque, so that the views in index_ stay valid
  std::unordered_map<std::string_view, std::size_t> index_;
};

}  // namespace tusk::core
