// getxattr, setxattr, listxattr, removexattr, readlink.
#include <sys/xattr.h>

#include "core/acl.h"
#include "core/content_ops.h"
#include "core/loads.h"
#include "core/policy.h"
#include "core/tier.h"
#include "core/tree.h"
#include "core/verbs.h"

namespace tusk::core {
namespace {

constexpr std::string_view kStatus = "user.tusk.status";
// Of a file: where its content is; setting it moves that.
constexpr std::string_view kTier = "user.tusk.tier";
constexpr std::string_view kInside = "db", kOutside = "external";

bool is_acl(std::string_view name) { return name == kAclAccess || name == kAclDefault; }

bool is_supported(std::string_view name) {
  return name.starts_with("user.") || name.starts_with("trusted.") ||
         name.starts_with("security.") || is_acl(name);
}

Attempt<Node*> node_with_xattrs(Core& core, Ino ino, std::string_view name) {
  ATTEMPT_ASSIGN(Node * node, core.node(ino));
  if (!is_supported(name)) return error(EOPNOTSUPP);
  if (name.ends_with('.')) return error(EINVAL);  // a namespace alone is no name
  ATTEMPT(load_xattrs(core, *node));
  return node;
}

void set(Core& core, Node& node, std::string_view name, ByteSpan value) {
  node.xattrs->values.insert_or_assign(std::string(name), Buffer(value.begin(), value.end()));
  node.xattrs->changed.insert_or_assign(std::string(name), true);
  node.meta.has_xattrs = true;
  node.meta.ctime = core.now();
  core.txg.mark(node, kDirtyRow | kDirtyXattrs);
}

void remove(Core& core, Node& node, std::string_view name) {
  if (drop_xattr(core, node, name)) node.meta.ctime = core.now();
}

// An access ACL sets the mode; one that says no more than the mode is not kept.
Attempt<void> set_access_acl(Core& core, const vfs::Call& call, Node& node, ByteSpan value) {
  const auto acl = Acl::parse(value);
  if (!acl) return error(EINVAL);
  node.meta.mode = acl->apply_to(node.meta.mode);
  if (call.uid != 0 && call.gid != node.meta.gid) node.meta.mode &= ~mode_t{S_ISGID};
  node.meta.ctime = core.now();
  core.txg.mark(node, kDirtyRow);
  if (acl->is_mode_only()) {
    remove(core, node, kAclAccess);
    return {};
  }
  set(core, node, kAclAccess, value);
  return {};
}

Attempt<void> set_tier(Core& core, const vfs::Call& call, Node& node, ByteSpan value) {
  const std::string_view tier(reinterpret_cast<const char*>(value.data()), value.size());
  if (call.uid != 0 && call.uid != node.meta.uid) return error(EPERM);
  if (tier != kInside && tier != kOutside) return error(EINVAL);
  return move_tier(core, node, tier == kOutside);
}

// Attributes that nobody stores, and the policy of folders, which is stored as others are (the
// root's with the tree).
bool is_policy(std::string_view name) { return name.starts_with(kPolicyPrefix); }

bool is_reserved(const Core& core, const Node& node, std::string_view name) {
  return name == kPolicyList || (&node == core.root && name == kStatus);
}

Attempt<void> check_policy_change(const vfs::Call& call, const Node& node) {
  if (!node.is_folder) return error(EOPNOTSUPP);
  if (call.uid != 0 && call.uid != node.meta.uid) return error(EPERM);
  return {};
}

bool sets_policy(const Node& folder, std::string_view key) {
  return folder.own_policy && folder.own_policy->settings.contains(key);
}

void note_root_policy(Core& core) {
  core.policy_changed = true;
  core.txg.mark(*core.root, kDirtyRow);
}

Attempt<void> set_policy(Core& core, const vfs::Call& call, Node& node, std::string_view name,
                         ByteSpan value, int flags) {
  ATTEMPT(check_policy_change(call, node));
  const std::string_view key = name.substr(kPolicyPrefix.size());
  ATTEMPT_ASSIGN(const std::int64_t number, parse_setting(key, value));
  const bool exists = sets_policy(node, key);
  if (flags & XATTR_CREATE && exists) return error(EEXIST);
  if (flags & XATTR_REPLACE && !exists) return error(ENODATA);
  change_setting(core, node, key, number);
  if (&node == core.root) {
    note_root_policy(core);
  } else {
    set(core, node, name, bytes_of(std::to_string(number)));
  }
  return {};
}

Attempt<void> unset_policy(Core& core, const vfs::Call& call, Node& node, std::string_view name) {
  ATTEMPT(check_policy_change(call, node));
  const std::string_view key = name.substr(kPolicyPrefix.size());
  if (!sets_policy(node, key)) return error(ENODATA);
  change_setting(core, node, key, {});
  if (&node == core.root) {
    note_root_policy(core);
  } else {
    remove(core, node, name);
  }
  return {};
}

// What a folder says of itself without having it stored.
Attempt<std::string> told_value(Core& core, Node& node, std::string_view name) {
  if (name == kStatus) {
    if (core.status_text) return core.status_text();
    return error(ENODATA);
  }
  if (name == kPolicyList) return policy_list(core, node);
  return policy_value(core, node, name.substr(kPolicyPrefix.size()));
}

}  // namespace

Attempt<void> setxattr(Core& core, const vfs::Call& call, Ino ino, std::string_view name,
                       ByteSpan value, int flags) {
  ATTEMPT(core.txg.admit(0));
  ATTEMPT_ASSIGN(Node * node, node_with_xattrs(core, ino, name));
  ATTEMPT(check_name(name));
  if (is_reserved(core, *node, name)) return error(EPERM);
  if (name == kTier) return set_tier(core, call, *node, value);
  if (is_policy(name)) return set_policy(core, call, *node, name, value, flags);
  const bool exists = node->xattrs->values.contains(name);
  if (flags & XATTR_CREATE && exists) return error(EEXIST);
  if (flags & XATTR_REPLACE && !exists) return error(ENODATA);
  if (name == kAclAccess) return set_access_acl(core, call, *node, value);
  if (name == kAclDefault) {
    if (!node->is_folder) return error(EACCES);
    if (!Acl::parse(value)) return error(EINVAL);
  }
  set(core, *node, name, value);
  return {};
}

Attempt<ByteSpan> getxattr(Core& core, Ino ino, std::string_view name, std::string& scratch) {
  ATTEMPT_ASSIGN(Node * node, core.node(ino));
  const bool told = is_policy(name) || is_reserved(core, *node, name);
  if (node->is_folder && told) {
    ATTEMPT_ASSIGN(scratch, told_value(core, *node, name));
    return bytes_of(scratch);
  }
  if (name == kTier && node->is_regular()) return bytes_of(node->file.object ? kOutside : kInside);
  ATTEMPT_ASSIGN(node, node_with_xattrs(core, ino, name));
  const auto it = node->xattrs->values.find(name);
  if (it == node->xattrs->values.end()) return error(ENODATA);
  return ByteSpan(it->second);
}

Attempt<std::string_view> listxattr(Core& core, Ino ino, std::string& scratch) {
  ATTEMPT_ASSIGN(Node * node, core.node(ino));
  ATTEMPT(load_xattrs(core, *node));
  scratch.clear();
  for (const auto& [name, value] : node->xattrs->values) scratch.append(name).push_back('\0');
  return std::string_view(scratch);
}

Attempt<void> removexattr(Core& core, const vfs::Call& call, Ino ino, std::string_view name) {
  ATTEMPT(core.txg.admit(0));
  ATTEMPT_ASSIGN(Node * node, node_with_xattrs(core, ino, name));
  if (node->is_folder && is_policy(name)) return unset_policy(core, call, *node, name);
  if (!node->xattrs->values.contains(name)) {
    return is_acl(name) ? Attempt<void>{} : error(ENODATA);
  }
  remove(core, *node, name);
  return {};
}

Attempt<std::string_view> readlink(Core& core, Ino ino) {
  ATTEMPT_ASSIGN(Node * node, core.node(ino));
  if (!S_ISLNK(node->meta.mode)) return error(EINVAL);
  if (node->file.size == 0) return std::string_view();
  ATTEMPT(load_whole(core, *node));
  const Buffer& target = *node->file.content->whole.data;
  return std::string_view(reinterpret_cast<const char*>(target.data()), target.size());
}

}  // namespace tusk::core
