#include <unordered_map>

#include "core/asking.h"
#include "core/content_ops.h"
#include "core/core.h"
#include "core/loads.h"
#include "core/policy.h"
#include "tuskfs/base/log.h"

namespace tusk::core {
namespace {

void fill_folder(Core& core, Node& node, const store::FolderRow& row) {
  node.meta = row.meta;
  node.stored = node.counted = true;
  node.damaged = row.damaged;
  node.first = {row.parent, row.name};
  note_own_policy(core, node, row.policy);
}

void fill_file(Node& node, const store::FileRow& row) {
  node.meta = row.meta;
  node.stored = node.counted = true;
  node.damaged = row.damaged;
  node.first = {row.folder, row.name};
  node.stored_size = row.size;
  node.file.size = row.size;
  node.file.version = row.version;
  node.file.form = row.form;
  node.file.object = row.object;
  node.file.checksum = row.checksum;
  node.file.content_at = row.content_at;
  node.file.kept = row.version;
  node.file.left_empty = true;
  if (!row.holes.empty()) content_of(node).holes = IntervalSet(row.holes);
}

// Nodes already in memory are newer than their rows, but for those that have left the trash since.
template <class Fn>
Node& node_of(Core& core, const Uuid& id, bool is_folder, Fn fill) {
  Node* node = core.table.find(id);
  if (node && !node->gone) return *node;
  if (!node) node = &core.table.add(id, is_folder);
  if (std::exchange(node->gone, false)) {
    forget_content(core, *node);
    node->dir.reset();
    node->deletion.reset();
    node->stored_name.reset();
    node->links.reset();
    node->xattrs.reset();
  }
  fill(*node);
  return *node;
}

}  // namespace

void refill(Core& core, Node& node, const store::FolderRow& row) { fill_folder(core, node, row); }
void refill(Core&, Node& node, const store::FileRow& row) { fill_file(node, row); }

Node& node_of(Core& core, const store::FolderRow& row) {
  return node_of(core, row.id.uuid, true, [&](Node& node) { fill_folder(core, node, row); });
}

Node& node_of(Core& core, const store::FileRow& row) {
  return node_of(core, row.id.uuid, false, [&](Node& node) { fill_file(node, row); });
}

namespace {

// Puts one page into `dir`.
class PageReader {
 public:
  PageReader(Core& core, Node& folder, Dir& dir) : core_(core), folder_(folder), dir_(dir) {}

  void read(const store::FolderPage& page) {
    for (const auto& row : page.folders) add_folder(row);
    std::unordered_map<Uuid, const store::FileRow*> linked;
    for (const auto& row : page.files) {
      if (row.folder == folder_.folder_id()) {
        add_file(row, row.name);
      } else {
        linked.emplace(row.id.uuid, &row);
      }
    }
    for (const auto& link : page.links) {
      const auto it = linked.find(link.file.uuid);
      const store::FileRow* row = it == linked.end() ? find_here(page, link.file) : it->second;
      if (row) add_file(*row, link.name);
    }
  }

 private:
  static const store::FileRow* find_here(const store::FolderPage& page, FileId id) {
    for (const auto& row : page.files) {
      if (row.id == id) return &row;
    }
    log::error("a further name of file {} has no row of the file", id.uuid.text());
    return nullptr;
  }

  bool taken(const std::string& name, const Uuid& id) const {
    if (!dir_.find(name)) return false;
    log::error("row {} has the name of another in folder {}: not shown", id.text(),
               folder_.id.text());
    return true;
  }

  void add_folder(const store::FolderRow& row) {
    if (row.id.uuid == folder_.id || taken(row.name, row.id.uuid)) return;
    enter(row.name, node_of(core_, row));
  }

  void add_file(const store::FileRow& row, const std::string& name) {
    if (taken(name, row.id.uuid)) return;
    enter(name, node_of(core_, row));
  }

  void enter(const std::string& name, Node& node) {
    dir_.add(name, node);
    node.dentries++;
  }

  Core& core_;
  Node& folder_;
  Dir& dir_;
};

struct DirLoad {
  Uuid folder;
  std::uint64_t epoch = 0;  // of the delegation
  std::unique_ptr<Dir> dir = std::make_unique<Dir>();
};

void ask_page(Core& core, std::shared_ptr<DirLoad> load, std::string after);

void begin(Core& core, const Node& folder) {
  auto load = std::make_shared<DirLoad>();
  load->folder = folder.id;
  load->epoch = core.delegation.epoch();
  ask_page(core, std::move(load), "");
}

void finish(Core& core, Node& folder, int code) {
  folder.loads->dir_loading = false;
  core.lot.wake(folder.loads->dir, code);
  core.trim_soon();
}

void abandon(Core& core, DirLoad& load) {
  for (const auto& slot : load.dir->slots()) {
    slot.node->dentries--;
    core.release_if_unused(*slot.node);
  }
}

void on_page(Core& core, std::shared_ptr<DirLoad> load, const std::string& after,
             Result<store::FolderPage> page) {
  Node& folder = *core.table.find(load->folder);
  if (asked_again(core, page, [&core, load, after] { ask_page(core, load, after); })) return;
  if (!page) {
    log::error("folder {} cannot be loaded: {}", folder.id.text(), page.error().what);
    abandon(core, *load);
    return finish(core, folder, page.error().code);
  }
  if (load->epoch != core.delegation.epoch()) {
    // Others have changed something: a page may be older than that.
    abandon(core, *load);
    return begin(core, folder);
  }
  PageReader(core, folder, *load->dir).read(*page);
  if (!page->next_after.empty()) return ask_page(core, load, page->next_after);
  folder.dir = std::move(load->dir);
  folder.dir->used = core.executor.now();
  folder.dir->open_handles = folder.opens;
  std::uint32_t subfolders = 0;
  for (const auto& slot : folder.dir->slots()) subfolders += slot.node->is_folder;
  folder.meta.nlink = 2 + subfolders;
  finish(core, folder, 0);
}

void ask_page(Core& core, std::shared_ptr<DirLoad> load, std::string after) {
  const store::FolderQuery query{FolderId{load->folder}, after};
  core.store.load_folder(query, [&core, load, after](Result<store::FolderPage> page) {
    on_page(core, load, after, std::move(page));
  });
}

}  // namespace

Attempt<void> load_dir(Core& core, Node& folder) {
  if (folder.dir) {
    folder.dir->used = core.executor.now();
    return {};
  }
  if (folder.gone) return error(ENOENT);
  if (!core.txg.is_committed(folder.cloned_in)) return wait_on(core.txg.want_commit());
  NodeLoads& loads = folder.load_state();
  if (!std::exchange(loads.dir_loading, true)) begin(core, folder);
  return wait_on(loads.dir);
}

}  // namespace tusk::core
