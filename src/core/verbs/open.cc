// open, create, release.
#include <fcntl.h>

#include "core/content_ops.h"
#include "core/publish.h"
#include "core/tree.h"
#include "core/verbs.h"

namespace tusk::core {
namespace {

bool writes(int flags) { return (flags & O_ACCMODE) != O_RDONLY; }

Handle add_handle(Core& core, Node& node, int flags) {
  const std::uint64_t handle = core.next_handle++;
  core.open_files.emplace(handle, OpenFile{&node, flags});
  node.opens++;
  if (writes(flags)) node.writers++;
  return Handle{handle};
}

}  // namespace

Attempt<vfs::Opened> open(Core& core, const vfs::Call& call, Ino ino, int flags) {
  ATTEMPT_ASSIGN(Node * node, core.regular(ino));
  if (flags & O_TRUNC) {
    ATTEMPT(core.txg.admit(0));
    ATTEMPT(truncate_content(core, *node, 0));
    note_modified(core, call, *node);
    core.txg.mark(*node, kDirtyRow);
  }
  return vfs::Opened{add_handle(core, *node, flags)};
}

Attempt<vfs::Created> create(Core& core, const vfs::Call& call, Ino parent, std::string_view name,
                             mode_t mode, int flags) {
  const mode_t kept = S_IFREG | (mode & 07777);
  ATTEMPT_ASSIGN(Node * node, make_node(core, call, parent, name, {kept, 0}));
  return vfs::Created{entry_of(*node), {add_handle(core, *node, flags)}};
}

void release(Core& core, Handle handle) {
  const auto it = core.open_files.find(static_cast<std::uint64_t>(handle));
  if (it == core.open_files.end()) return;
  Node& node = *it->second.node;
  const bool may_have_written = writes(it->second.flags);
  core.open_files.erase(it);
  node.opens--;
  if (may_have_written) node.writers--;
  if (node.gone && node.opens == 0 && !node.deletion) {
    core.txg.mark(node, kDirtyGone);
    return;
  }
  // A reader's close says nothing about what a writer is in the middle of.
  if (may_have_written || node.opens == 0) publish(core, node);
  if (may_have_written && node.writers == 0) node.file.left_empty = true;
  if (node.lookups == 0) core.release_if_unused(node);
}

}  // namespace tusk::core
