// getattr and setattr.
#include "core/acl.h"
#include "core/content_ops.h"
#include "core/loads.h"
#include "core/publish.h"
#include "core/tree.h"
#include "core/verbs.h"

namespace tusk::core {
namespace {

WallTime resolve(WallTime time, WallTime now) { return time == vfs::kNow ? now : time; }

// chmod keeps an access ACL in step with the mode.
void follow_mode(Core& core, Node& node) {
  if (!node.xattrs) return;
  const auto found = node.xattrs->values.find(kAclAccess);
  if (found == node.xattrs->values.end()) return;
  if (auto acl = Acl::parse(found->second)) {
    acl->set_mode(node.meta.mode);
    found->second = acl->format();
    node.xattrs->changed[kAclAccess] = true;
    core.txg.mark(node, kDirtyXattrs);
  }
}

void change_owner(Node& node, const vfs::AttrChange& change) {
  if (change.uid) node.meta.uid = *change.uid;
  if (change.gid) node.meta.gid = *change.gid;
  if (!change.mode) node.meta.mode = without_setid(node.meta.mode);
}

Attempt<void> change_size(Core& core, const vfs::Call& call, Node& node, std::uint64_t size) {
  if (node.is_folder) return error(EISDIR);
  if (!node.is_regular()) return error(EINVAL);
  if (size > kMostBytes) return error(EFBIG);
  ATTEMPT(truncate_content(core, node, size));
  note_modified(core, call, node);
  core.txg.mark(node, kDirtyRow);
  // A truncation by path has no close that would publish it.
  if (node.opens == 0) publish(core, node);
  return {};
}

}  // namespace

Attempt<vfs::Attr> getattr(Core& core, Ino ino) {
  ATTEMPT_ASSIGN(Node * node, core.node(ino));
  return attr_of(*node);
}

Attempt<vfs::Attr> setattr(Core& core, const vfs::Call& call, Ino ino,
                           const vfs::AttrChange& change) {
  ATTEMPT_ASSIGN(Node * node, core.node(ino));
  ATTEMPT(core.txg.admit(0));
  if (change.mode && node->meta.has_xattrs) ATTEMPT(load_xattrs(core, *node));
  if (change.size) ATTEMPT(change_size(core, call, *node, *change.size));
  const WallTime now = core.now();
  if (change.uid || change.gid) change_owner(*node, change);
  if (change.mode) {
    node->meta.mode = (node->meta.mode & S_IFMT) | (*change.mode & 07777);
    follow_mode(core, *node);
  }
  if (change.atime) node->meta.atime = resolve(*change.atime, now);
  if (change.mtime) node->meta.mtime = resolve(*change.mtime, now);
  node->meta.ctime = now;
  if (change.mode || change.uid || change.gid || change.atime || change.mtime) {
    core.txg.mark(*node, kDirtyRow);
  }
  return attr_of(*node);
}

}  // namespace tusk::core
