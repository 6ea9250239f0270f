#include "core/tree.h"

#include <sys/stat.h>

#include <algorithm>
#include <string>

#include "core/acl.h"
#include "core/content_ops.h"
#include "core/loads.h"
#include "core/policy.h"
#include "core/quota.h"
#include "tuskfs/base/utf8.h"

namespace tusk::core {
namespace {

constexpr std::size_t kNameMax = 255;

// A default ACL of the folder replaces the umask and is handed down.
void inherit_acl(const vfs::Call& call, const Node& folder, Node& node) {
  const auto& values = folder.xattrs->values;
  const auto found = values.find(kAclDefault);
  auto acl = found == values.end() ? std::nullopt : Acl::parse(found->second);
  if (!acl) {
    node.meta.mode &= ~(call.umask & 0777);
    return;
  }
  node.xattrs = std::make_unique<Xattrs>();
  if (node.is_folder) {
    node.xattrs->values[kAclDefault] = found->second;
    node.xattrs->changed[kAclDefault] = true;
  }
  node.meta.mode = acl->restrict_by(node.meta.mode);
  if (!acl->is_mode_only()) {
    node.xattrs->values[kAclAccess] = acl->format();
    node.xattrs->changed[kAclAccess] = true;
  }
  node.meta.has_xattrs = !node.xattrs->values.empty();
}

}  // namespace

Attempt<void> check_name(std::string_view name) {
  if (name.size() > kNameMax) return error(ENAMETOOLONG);
  if (!is_utf8(name)) return error(EILSEQ);
  return {};
}

vfs::Attr attr_of(const Node& node) {
  vfs::Attr attr{.ino = node.ino,
                 .mode = node.meta.mode,
                 .nlink = node.gone ? 0 : node.meta.nlink,
                 .uid = node.meta.uid,
                 .gid = node.meta.gid,
                 .rdev = node.meta.rdev,
                 .size = node.is_folder ? 4096 : node.file.size,
                 .blocks = 0,
                 .atime = node.meta.atime,
                 .mtime = node.meta.mtime,
                 .ctime = node.meta.ctime};
  if (!node.is_folder) {
    std::uint64_t stored = node.file.size;
    if (const Content* content = node.file.content.get(); content && !content->holes.empty()) {
      const auto holes = content->holes.count_within(0, INT64_MAX);
      stored -= std::min(stored, static_cast<std::uint64_t>(holes) * store::kChunkBytes);
    }
    attr.blocks = S_ISREG(node.meta.mode) ? (stored + 511) / 512 : 0;
  }
  return attr;
}

vfs::Entry entry_of(Node& node) {
  node.lookups++;
  return {attr_of(node)};
}

Attempt<Node*> loaded_folder(Core& core, Ino ino) {
  ATTEMPT_ASSIGN(Node * folder, core.folder(ino));
  ATTEMPT(load_dir(core, *folder));
  return folder;
}

Attempt<Node*> find_entry(const Node& folder, std::string_view name) {
  Node* node = folder.dir->find(name);
  if (!node) return error(ENOENT);
  return node;
}

Attempt<Node*> make_node(Core& core, const vfs::Call& call, Ino parent, std::string_view name,
                         NewNode make) {
  ATTEMPT(check_name(name));
  ATTEMPT(core.txg.admit(0));
  ATTEMPT_ASSIGN(Node * folder, loaded_folder(core, parent));
  if (folder->gone) return error(ENOENT);
  if (folder->dir->find(name)) return error(EEXIST);
  ATTEMPT(load_xattrs(core, *folder));
  const bool is_folder = S_ISDIR(make.mode);
  ATTEMPT(check_room(core, {.files = is_folder ? 0 : 1,
                            .folders = is_folder ? 1 : 0,
                            .bytes = static_cast<std::int64_t>(make.bytes)}));
  Node& node = core.table.add(core.new_id(), is_folder);
  const WallTime now = core.now();
  node.meta = {.mode = make.mode,
               .uid = call.uid,
               .gid = call.gid,
               .nlink = is_folder ? 2u : 1u,
               .rdev = make.rdev,
               .atime = now,
               .mtime = now,
               .ctime = now,
               .has_xattrs = false};
  if (folder->meta.mode & S_ISGID) {
    node.meta.gid = folder->meta.gid;
    if (is_folder) node.meta.mode |= S_ISGID;
  }
  if (S_ISLNK(make.mode)) {
    // Neither umask nor ACL touches the mode of a symlink.
  } else {
    inherit_acl(call, *folder, node);
  }
  node.first = {folder->folder_id(), std::string(name)};
  if (is_folder) {
    node.dir = std::make_unique<Dir>();
    folder->meta.nlink++;
  } else {
    content_of(node).rewritten = true;
    node.file.content_at = now;
  }
  enter(*folder, name, node);
  count_new(core, node);
  core.txg.mark(node,
                static_cast<std::uint8_t>(kDirtyRow | (node.meta.has_xattrs ? kDirtyXattrs : 0)));
  touch_folder(core, *folder, now);
  return &node;
}

bool is_below(const Core& core, const Node& node, const Node& folder) {
  const Node* at = &folder;
  while (at && at != &node && at != core.root) at = core.table.find(at->first.folder.uuid);
  return at == &node;
}

void enter(Node& folder, std::string_view name, Node& node) {
  folder.dir->add(name, node);
  node.dentries++;
}

namespace {

// Deleted things go to the trash, but for what never had content in the database: a temporary file
// leaves nothing.
bool leaves_trash(Core& core, Node& node) {
  if (policy_of(core, node).trash.count() == 0 || !node.stored) return false;
  if (!node.is_regular() || node.opens == 0) return true;
  const Content* content = node.file.content.get();
  return (content && content->published ? content->published->size : node.file.size) > 0;
}

void mark_gone(Core& core, Node& node, uid_t by) {
  count_gone(core, node);
  node.gone = true;
  if (leaves_trash(core, node)) {
    node.deletion = std::make_unique<store::Deletion>(store::Deletion{core.now(), by});
  }
  core.txg.mark(node, kDirtyGone);
}

}  // namespace

void leave(Core& core, Node& folder, std::string_view name, Node& node, uid_t by) {
  const Name left{folder.folder_id(), std::string(name)};
  folder.dir->remove(name);
  node.dentries--;
  if (node.is_folder) {
    folder.meta.nlink--;
    return mark_gone(core, node, by);
  }
  node.meta.nlink--;
  if (node.meta.nlink == 0) return mark_gone(core, node, by);
  if (node.first == left) {
    keep_stored_name(node, core.now());
    node.first = node.links->names.back();
    node.links->names.pop_back();
  } else {
    std::erase(node.links->names, left);
  }
  core.txg.mark(node, kDirtyRow | kDirtyLinks);
}

void touch_folder(Core& core, Node& folder, WallTime now) {
  folder.meta.mtime = folder.meta.ctime = now;
  core.txg.mark(folder, kDirtyRow);
}

void touch_ctime(Core& core, Node& node, WallTime now) {
  node.meta.ctime = now;
  core.txg.mark(node, kDirtyRow);
}

void keep_stored_name(Node& node, WallTime now) {
  if (!node.stored) return;
  if (!node.stored_name) node.stored_name = StoredName{node.first, {}};
  node.stored_name->renamed_at = now;
}

bool drop_xattr(Core& core, Node& node, std::string_view name) {
  const auto it = node.xattrs->values.find(name);
  if (it == node.xattrs->values.end()) return false;
  node.xattrs->values.erase(it);
  node.xattrs->changed.insert_or_assign(std::string(name), false);
  node.meta.has_xattrs = !node.xattrs->values.empty();
  core.txg.mark(node, kDirtyRow | kDirtyXattrs);
  return true;
}

mode_t without_setid(mode_t mode) {
  if (S_ISDIR(mode)) return mode;
  mode &= ~mode_t{S_ISUID};
  // Set-gid without group execution once meant mandatory locking: it stays.
  if (mode & S_IXGRP) mode &= ~mode_t{S_ISGID};
  return mode;
}

void note_modified(Core& core, const vfs::Call& call, Node& node) {
  node.meta.mtime = node.meta.ctime = core.now();
  const mode_t mode = call.uid == 0 ? node.meta.mode : without_setid(node.meta.mode);
  if (mode != node.meta.mode) {
    node.meta.mode = mode;
    core.txg.mark(node, kDirtyRow);
  }
}

}  // namespace tusk::core
