#include "support/sim_model.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

namespace tusk::testing {
namespace {

std::string line(const std::string& path, unsigned mode, int names, const std::string& content) {
  return path + " " + std::to_string(mode & 07777) + " " + std::to_string(names) + " " +
         std::to_string(content.size()) + " " + std::to_string(std::hash<std::string>{}(content)) +
         "\n";
}

}  // namespace

Model::Model() { nodes_[0] = {.folder = true, .mode = 0755, .names = 1, .entries = {}}; }

int Model::find(int folder, const std::string& name) const {
  const auto& entries = nodes_.at(folder).entries;
  const auto it = entries.find(name);
  return it == entries.end() ? -1 : it->second;
}

int Model::create(int folder, const std::string& name, unsigned mode) {
  if (find(folder, name) >= 0) return EEXIST;
  nodes_[next_] = {.folder = false, .mode = mode, .names = 1, .entries = {}};
  nodes_[folder].entries[name] = next_++;
  return 0;
}

int Model::mkdir(int folder, const std::string& name, unsigned mode) {
  if (find(folder, name) >= 0) return EEXIST;
  nodes_[next_] = {.folder = true, .mode = mode, .names = 1, .entries = {}};
  nodes_[folder].entries[name] = next_++;
  return 0;
}

void Model::drop_name(int node) { nodes_[node].names--; }

int Model::unlink(int folder, const std::string& name) {
  const int node = find(folder, name);
  if (node < 0) return ENOENT;
  if (nodes_[node].folder) return EISDIR;
  nodes_[folder].entries.erase(name);
  drop_name(node);
  return 0;
}

int Model::rmdir(int folder, const std::string& name) {
  const int node = find(folder, name);
  if (node < 0) return ENOENT;
  if (!nodes_[node].folder) return ENOTDIR;
  if (!nodes_[node].entries.empty()) return ENOTEMPTY;
  nodes_[folder].entries.erase(name);
  nodes_.erase(node);
  return 0;
}

int Model::link(int node, int folder, const std::string& name) {
  if (nodes_[node].folder) return EPERM;
  if (nodes_[node].names == 0) return ENOENT;
  if (find(folder, name) >= 0) return EEXIST;
  nodes_[folder].entries[name] = node;
  nodes_[node].names++;
  return 0;
}

void Model::clone(int source, int target) {
  std::map<int, int> files;
  const auto copy = [&](const auto& self, int from, int to) -> void {
    nodes_[to].mode = nodes_[from].mode;
    nodes_[to].published = nodes_[to].current = nodes_[from].published;
    for (const auto& [name, child] : nodes_[from].entries) {
      const bool folder = nodes_[child].folder;
      if (!folder && files.contains(child)) {
        nodes_[to].entries[name] = files[child];
        nodes_[files[child]].names++;
        continue;
      }
      const int made = nodes_[to].entries[name] = files[child] = next_++;
      nodes_[made].folder = folder;
      self(self, child, made);
    }
  };
  copy(copy, source, target);
}

int Model::parent_of(int folder) const {
  for (const auto& [id, node] : nodes_) {
    for (const auto& [name, child] : node.entries) {
      if (child == folder) return id;
    }
  }
  return -1;
}

bool Model::is_below(int node, int folder) const {
  while (folder > 0 && folder != node) folder = parent_of(folder);
  return folder == node;
}

int Model::rename(int folder, const std::string& name, int to, const std::string& new_name,
                  bool exchange) {
  const int node = find(folder, name);
  const int old = find(to, new_name);
  if (node < 0) return ENOENT;
  if (exchange && old < 0) return ENOENT;
  if (node == old) return 0;
  if (nodes_[node].folder && is_below(node, to)) return EINVAL;
  if (exchange) {
    if (nodes_[old].folder && is_below(old, folder)) return EINVAL;
    nodes_[folder].entries[name] = old;
    nodes_[to].entries[new_name] = node;
    return 0;
  }
  if (old >= 0) {
    if (nodes_[node].folder && !nodes_[old].folder) return ENOTDIR;
    if (!nodes_[node].folder && nodes_[old].folder) return EISDIR;
    if (!nodes_[old].entries.empty()) return ENOTEMPTY;
    if (nodes_[old].folder) {
      nodes_.erase(old);
    } else {
      drop_name(old);
    }
  }
  nodes_[folder].entries.erase(name);
  nodes_[to].entries[new_name] = node;
  return 0;
}

void Model::chmod(int node, unsigned mode) { nodes_[node].mode = mode; }

void Model::write(int node, std::size_t offset, const std::string& data) {
  std::string text = *nodes_[node].current;
  if (text.size() < offset + data.size()) text.resize(offset + data.size());
  text.replace(offset, data.size(), data);
  nodes_[node].current = std::make_shared<const std::string>(std::move(text));
}

void Model::truncate(int node, std::size_t size) {
  std::string text = *nodes_[node].current;
  text.resize(size);
  nodes_[node].current = std::make_shared<const std::string>(std::move(text));
}

void Model::publish(int node) { nodes_[node].published = nodes_[node].current; }

void Model::restart() {
  for (auto& [id, node] : nodes_) node.current = node.published;
  std::erase_if(nodes_, [](const auto& entry) { return entry.second.names == 0; });
}

std::vector<int> Model::folders() const {
  std::vector<int> out;
  for (const auto& [id, node] : nodes_) {
    if (node.folder) out.push_back(id);
  }
  return out;
}

void Model::describe(int folder, const std::string& path, std::string& out) const {
  for (const auto& [name, id] : nodes_.at(folder).entries) {
    const ModelNode& node = nodes_.at(id);
    const std::string below = path + "/" + name;
    out += line(below, node.mode, node.names, node.folder ? std::string() : *node.published);
    if (node.folder) describe(id, below, out);
  }
}

std::string Model::published() const {
  std::string out;
  describe(0, "", out);
  return out;
}

namespace {

struct Rows {
  const MemStore& store;
  std::map<FolderId, std::map<std::string, const store::FolderRow*>> folders;
  std::map<FolderId, std::map<std::string, const store::FileRow*>> files;

  void describe(FolderId folder, const std::string& path, std::string& out) const {
    std::map<std::string, std::string> lines;
    if (const auto it = folders.find(folder); it != folders.end()) {
      for (const auto& [name, row] : it->second) {
        std::string below = line(path + "/" + name, row->meta.mode, 1, "");
        describe(row->id, path + "/" + name, below);
        lines[name] += below;
      }
    }
    if (const auto it = files.find(folder); it != files.end()) {
      for (const auto& [name, row] : it->second) {
        const auto bytes = store.content(row->id);
        const std::string text =
            bytes ? std::string(bytes->begin(), bytes->end()) : "(no whole content)";
        lines[name] +=
            line(path + "/" + name, row->meta.mode, static_cast<int>(row->meta.nlink), text);
      }
    }
    for (const auto& [name, text] : lines) out += text;
  }
};

}  // namespace

std::string published(const MemStore& store) {
  Rows rows{store, {}, {}};
  FolderId root;
  for (const auto& [id, row] : store.folders()) {
    if (row.parent == id) {
      root = id;
    } else if (!store.is_trashed(id.uuid)) {
      rows.folders[row.parent][row.name] = &row;
    }
  }
  for (const auto& [id, row] : store.files()) {
    if (!store.is_hidden(id)) rows.files[row.folder][row.name] = &row;
  }
  for (const auto& [place, id] : store.links())
    rows.files[place.first][place.second] = &store.files().at(id);
  std::string out;
  rows.describe(root, "", out);
  return out;
}

}  // namespace tusk::testing
