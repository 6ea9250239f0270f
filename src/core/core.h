// What the verbs share: the tree, its contents, the open transaction group. One thread owns it all.
#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/cache.h"
#include "core/delegation.h"
#include "core/file_locks.h"
#include "core/inode_table.h"
#include "core/node.h"
#include "core/parking.h"
#include "core/presence.h"
#include "core/quota.h"
#include "core/stale_names.h"
#include "core/txg.h"
#include "tuskfs/core/options.h"
#include "tuskfs/store/store.h"

namespace tusk::core {

struct OpenFile {
  Node* node = nullptr;
  int flags = 0;
  bool is_quiet = false;  // it writes, and the kernel will not tell of its close
};

struct Core {
  Core(Executor& executor, store::Store& store, const store::Attached& attached,
       const Options& options);
  ~Core();
  Core(const Core&) = delete;
  Core& operator=(const Core&) = delete;

  Executor& executor;
  store::Store& store;
  Options options;
  // Outlives every piece that is charged to it: declared first.
  std::uint64_t dirty_bytes = 0;
  ParkingLot lot;
  InodeTable table;
  Cache cache;
  Delegation delegation;
  Presence presence;
  FileLocks file_locks;
  StaleNames stale_names;
  Txg txg;
  store::Usage usage;                // as the last cut left it
  Claims claims;                     // what is to come to that
  std::vector<store::Clone> clones;  // of the open group
  std::vector<store::Restore> restores;
  std::uint64_t policy_epoch = 1;  // what nodes know of policies under another number is too old
  bool policy_changed = false;     // the root's, since the last cut
  const bool has_objects;
  WallTime last_snapshot{};  // what was content then is a version of its own
  Node* root = nullptr;
  std::unordered_map<std::uint64_t, OpenFile> open_files;
  std::uint64_t next_handle = 1;
  std::function<std::string()> status_text;
  vfs::KernelCache* kernel_cache = nullptr;

  // ESTALE for a number the kernel should not have, EIO for a damaged row.
  Attempt<Node*> node(Ino ino) const;
  Attempt<Node*> folder(Ino ino) const;
  Attempt<Node*> regular(Ino ino) const;
  Uuid new_id();
  WallTime now() const { return executor.wall_now(); }

  // Drops what nothing needs any more (see the invariants of Node).
  void release_if_unused(Node& node);
  // Lets go of folders and contents that are clean and not in use when too much is in memory.
  // Runs after those who were just woken: what they waited for must still be there.
  void trim_soon();

 private:
  void trim();
  bool droppable(const Node& node) const;
  bool evict_dir(Node& folder);
  void evict_dirs();
  void ask_kernel_to_forget();
  std::size_t trim_floor_ = 0;
  bool trim_posted_ = false;
};

}  // namespace tusk::core
