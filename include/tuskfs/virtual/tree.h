// The tree .tusk at a mount's root: what the tree was. It is read-only, but for snapshots, which
// are made and removed as folders, and the trash, which is moved out of or emptied. `.tusk` can be
// looked up but is in no listing, so that a copy of the root does not meet it.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tuskfs/base/executor.h"
#include "tuskfs/store/past.h"
#include "tuskfs/vfs/vfs.h"

namespace tusk::virt {

struct Setup {
  store::FolderRow root;  // of the tree; its owner may take snapshots
  // Called before the database is asked: answers once what has been published is committed.
  std::function<void(vfs::Reply<void>)> commit;
  // Called before a snapshot is taken: answers once everything done so far is committed.
  std::function<void(vfs::Reply<void>)> sync;
  // A snapshot is about to be taken of this moment.
  std::function<void(WallTime)> snapshot_at;
  // Something in the trash comes back into the tree, as core::Filesystem::restore.
  std::function<void(const vfs::Call&, const Uuid&, Ino parent, std::string_view name,
                     vfs::Reply<void>)>
      restore = {};
  std::function<bool(const Uuid&)> is_open = {};
  // Its folders are shown in .tusk, or in the root; null: there are none. See sidecar.h.
  vfs::Vfs* sidecar = nullptr;
  std::vector<std::string> sidecar_names = {};
  bool sidecar_in_root = false;
  bool is_live = false;  // moments are no past: see MomentSetup
  std::chrono::nanoseconds patience = std::chrono::seconds(60);  // with a database that is away
};

// `core` with .tusk in it. Everything given must outlive what is returned.
std::unique_ptr<vfs::Vfs> with_dot_tusk(vfs::Vfs& core, Executor&, store::PastStore&, Setup);

// The tree as it was at one moment, and nothing else; `root` as it was then. With `is_live` it is
// the tree as it is whenever it is asked: what was answered holds for a second, an open file stays
// what it was, and one that is changed is another inode. `status_text` answers user.tusk.status of
// the root.
struct MomentSetup {
  store::FolderRow root;
  WallTime at{};
  bool is_live = false;
  std::chrono::nanoseconds patience = std::chrono::seconds(60);
  std::function<std::string()> status_text;
};
std::unique_ptr<vfs::Vfs> at_moment(Executor&, store::PastStore&, MomentSetup);

}  // namespace tusk::virt
