// What a tree should hold, told without knowledge of how: names, modes, published and current
// contents. Copies are cheap, so that every past state can be kept.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "support/mem_store.h"

namespace tusk::testing {

using Text = std::shared_ptr<const std::string>;

struct ModelNode {
  bool folder = false;
  unsigned mode = 0;
  int names = 1;
  Text published = std::make_shared<const std::string>();
  Text current = published;
  std::map<std::string, int> entries;  // folders: name to node
};

// Each verb returns the errno to expect, 0 for success, and has its effect only then.
class Model {
 public:
  Model();

  int create(int folder, const std::string& name, unsigned mode);
  int mkdir(int folder, const std::string& name, unsigned mode);
  int unlink(int folder, const std::string& name);
  int rmdir(int folder, const std::string& name);
  int link(int node, int folder, const std::string& name);
  int rename(int folder, const std::string& name, int to, const std::string& new_name,
             bool exchange);
  void chmod(int node, unsigned mode);
  void write(int node, std::size_t offset, const std::string& data);
  void truncate(int node, std::size_t size);
  void publish(int node);
  // `target`, empty, becomes what `source` is; both files or both folders.
  void clone(int source, int target);
  // A mount begins: nothing is open, nothing unpublished.
  void restart();

  int find(int folder, const std::string& name) const;  // -1: none
  const ModelNode& at(int node) const { return nodes_.at(node); }
  const std::map<int, ModelNode>& nodes() const { return nodes_; }
  std::vector<int> folders() const;
  bool is_below(int node, int folder) const;

  // Every path with what is published there, one a line.
  std::string published() const;

 private:
  void drop_name(int node);
  int parent_of(int folder) const;
  void describe(int folder, const std::string& path, std::string& out) const;

  std::map<int, ModelNode> nodes_;
  int next_ = 1;
};

// The same, as the store has it.
std::string published(const MemStore& store);

}  // namespace tusk::testing
