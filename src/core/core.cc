#include "core/core.h"

#include <algorithm>
#include <vector>

#include "core/content_ops.h"
#include "core/policy.h"

namespace tusk::core {
namespace {

// A folder just loaded must stay until those who waited for it have been served.
constexpr auto kKeepDir = std::chrono::seconds(1);

}  // namespace

Core::Core(Executor& executor_in, store::Store& store_in, const store::Attached& attached,
           const Options& options_in)
    : executor(executor_in),
      store(store_in),
      options(options_in),
      lot(executor_in, options_in.db_timeout, options_in.meter),
      cache(options_in.cache_limit),
      delegation(*this),
      presence(*this, attached.presence),
      file_locks(*this),
      stale_names(executor_in),
      txg(*this, attached.last_group),
      usage(attached.usage),
      has_objects(attached.has_objects),
      last_snapshot(attached.last_snapshot) {
  root = &table.add_root(attached.root.id.uuid);
  root->meta = attached.root.meta;
  root->stored = root->counted = true;
  root->first = {attached.root.parent, attached.root.name};
  root->lookups = 1;
  note_own_policy(*this, *root, attached.root.policy);
}

Core::~Core() {
  table.for_each([this](Node& node) { forget_content(*this, node); });
}

Attempt<Node*> Core::node(Ino ino) const {
  Node* found = table.find(ino);
  if (!found) return error(ESTALE);
  if (found->damaged) return error(EIO);
  return found;
}

Attempt<Node*> Core::folder(Ino ino) const {
  ATTEMPT_ASSIGN(Node * found, node(ino));
  if (!found->is_folder) return error(ENOTDIR);
  return found;
}

Attempt<Node*> Core::regular(Ino ino) const {
  ATTEMPT_ASSIGN(Node * found, node(ino));
  if (found->is_folder) return error(EISDIR);
  if (!found->is_regular()) return error(EINVAL);
  return found;
}

Uuid Core::new_id() {
  const auto ms = static_cast<std::uint64_t>(executor.wall_now().ns / 1'000'000);
  return Uuid::v7(ms, executor.random(), executor.random());
}

bool Core::droppable(const Node& node) const {
  if (node.lookups > 0 || node.opens > 0 || node.dirty != 0 || node.dir) return false;
  if (!txg.is_committed(node.group)) return false;
  if (node.loads) {
    const NodeLoads& l = *node.loads;
    if (l.dir_loading || l.whole_loading || l.xattrs_loading || l.links_loading) return false;
  }
  const Content* content = node.file.content.get();
  return !content || (content->loading.empty() && !content->unpublished());
}

void Core::release_if_unused(Node& node) {
  if (&node == root) return;
  if (node.gone && node.dir && node.lookups == 0 && node.opens == 0) node.dir.reset();
  if (node.dentries > 0 || !droppable(node)) return;
  forget_content(*this, node);
  if (node.own_policy) policy_epoch++;  // others may point at it
  table.erase(node);
}

bool Core::evict_dir(Node& folder) {
  if (folder.dirty != 0 || !txg.is_committed(folder.group) || folder.dir->open_handles > 0)
    return false;
  if (executor.now() - folder.dir->used < kKeepDir) return false;
  for (const auto& slot : folder.dir->slots()) {
    if (slot.node && !droppable(*slot.node)) return false;
  }
  const auto dir = std::exchange(folder.dir, nullptr);
  for (const auto& slot : dir->slots()) {
    if (!slot.node) continue;
    slot.node->dentries--;
    release_if_unused(*slot.node);
  }
  return true;
}

void Core::trim_soon() {
  const bool due = cache.bytes() > options.cache_limit || table.size() > options.nodes_limit;
  if (!due || std::exchange(trim_posted_, true)) return;
  executor.post([this] {
    trim_posted_ = false;
    trim();
  });
}

void Core::trim() {
  if (cache.bytes() > options.cache_limit) {
    cache.trim([this](GroupNo group) { return txg.is_committed(group); });
  }
  // Looking at every folder is worth it only when a good part may have become free meanwhile.
  if (table.size() <= options.nodes_limit || table.size() < trim_floor_) return;
  evict_dirs();
  if (table.size() > options.nodes_limit) ask_kernel_to_forget();
  trim_floor_ = table.size() + options.nodes_limit / 16;
}

void Core::evict_dirs() {
  std::vector<Uuid> loaded;
  table.for_each([&](Node& node) {
    if (node.dir && &node != root) loaded.push_back(node.id);
  });
  for (const Uuid& id : loaded) {
    if (table.size() <= options.nodes_limit * 3 / 4) break;
    Node* node = table.find(id);
    if (node && node->dir) evict_dir(*node);
  }
}

// Inodes that the kernel holds cannot go: it is asked to let go of whole folders, and the next look
// finds them free.
void Core::ask_kernel_to_forget() {
  if (!kernel_cache || kernel_cache->is_behind()) return;
  std::size_t enough = table.size() - options.nodes_limit * 3 / 4;
  table.for_each([&](Node& node) {
    if (enough == 0 || !node.dir || &node == root || node.gone || node.dir->open_handles > 0)
      return;
    const Node* parent = table.find(node.first.folder.uuid);
    if (!parent) return;
    kernel_cache->drop_entry(parent->ino, node.first.name);
    enough -= std::min(enough, node.dir->size());
  });
  trim_floor_ = 0;
}

}  // namespace tusk::core
