// A copy that shares all content with its source. The store makes it, in one go, at the start of a
// group, from what the group before has left: so it is the source as it was when it was asked for.
#include "core/asking.h"
#include "core/content_ops.h"
#include "core/loads.h"
#include "core/policy.h"
#include "core/publish.h"
#include "core/quota.h"
#include "core/tree.h"
#include "core/verbs.h"
#include "tuskfs/base/log.h"

namespace tusk::core {
namespace {

Attempt<void> check_kinds(Core& core, const Node& source, const Node& target) {
  if (source.gone || target.gone) return error(ENOENT);
  if (!source.is_folder && !source.is_regular()) return error(EINVAL);
  if (source.is_folder && !target.is_folder) return error(ENOTDIR);
  if (!source.is_folder && target.is_folder) return error(EISDIR);
  if (!target.is_folder && !target.is_regular()) return error(EINVAL);
  if (is_below(core, source, target)) return error(EINVAL);
  return {};
}

Attempt<void> check_empty(Core& core, Node& target) {
  if (!target.is_folder) {
    if (target.file.size > 0) return error(ENOTEMPTY);
    // Of what it held before.
    Content* content = target.file.content.get();
    if (content && !content->loading.empty()) return wait_on(content->loading.front().waiters);
    return {};
  }
  ATTEMPT(load_dir(core, target));
  if (!target.dir->empty() || &target == core.root) return error(ENOTEMPTY);
  return {};
}

void ask_ownership(Core& core, FolderId folder, uid_t owner, std::shared_ptr<CloneCheck> check) {
  core.store.load_ownership(folder, owner, [&core, folder, owner, check](Result<bool> owned) {
    const auto again = [&core, folder, owner, check] { ask_ownership(core, folder, owner, check); };
    if (asked_again(core, owned, again)) return;
    check->owned = std::move(owned);
    core.lot.wake(check->waiters);
  });
}

// The kernel checks no permission for this: root may clone everything, others what is theirs alone.
Attempt<void> check_owners(Core& core, const vfs::Call& call, const Node& source,
                           const Node& target, const std::shared_ptr<CloneCheck>& check) {
  if (call.uid == 0) return {};
  if (target.meta.uid != call.uid) return error(EPERM);
  if (source.meta.uid != call.uid) return error(EACCES);
  if (!source.is_folder) return {};
  if (!check->since) check->since = core.txg.last_changed();
  if (!core.txg.is_committed(*check->since)) return wait_on(core.txg.want_commit());
  if (!std::exchange(check->asked, true)) ask_ownership(core, source.folder_id(), call.uid, check);
  if (!check->owned) return wait_on(check->waiters);
  if (!*check->owned) {
    log::error("cannot tell whose {} is: {}", source.id.text(), check->owned->error().what);
    return error(EIO);
  }
  if (!**check->owned) return error(EACCES);
  return {};
}

void ask_size(Core& core, FolderId folder, std::optional<uid_t> owner,
              std::shared_ptr<CloneCheck> check) {
  core.store.load_size(folder, owner, [&core, folder, owner, check](Result<store::Usage> size) {
    const auto again = [&core, folder, owner, check] { ask_size(core, folder, owner, check); };
    if (asked_again(core, size, again)) return;
    check->size = std::move(size);
    core.lot.wake(check->waiters);
  });
}

// How much the clone will be at most: what was below the source when the database was asked, and
// all that may have come there since. Nobody asks where there is no quota.
Attempt<store::Usage> size_of_clone(Core& core, const vfs::Call& call, const Node& source,
                                    const std::shared_ptr<CloneCheck>& check) {
  if (core.store.quota() == store::Quota{}) return store::Usage{};
  if (!check->sized_since) {
    core.txg.publish_all();
    check->sized_since = core.txg.last_changed();
    check->grown = core.claims.grown;
  }
  if (!core.txg.is_committed(*check->sized_since)) return wait_on(core.txg.want_commit());
  const auto owner = call.uid == 0 ? std::nullopt : std::optional(call.uid);
  if (!std::exchange(check->size_asked, true)) ask_size(core, source.folder_id(), owner, check);
  if (!check->size) return wait_on(check->waiters);
  if (!*check->size) {
    log::error("cannot tell how much {} is: {}", source.id.text(), check->size->error().what);
    return error(EIO);
  }
  const store::Usage& then = **check->size;
  const store::Usage& grown = core.claims.grown;
  return store::Usage{.files = then.files + grown.files - check->grown.files,
                      .folders = then.folders + grown.folders - check->grown.folders,
                      .bytes = then.bytes + grown.bytes - check->grown.bytes};
}

void take_attributes(Core& core, const Node& source, Node& target) {
  target.meta.mode = source.meta.mode;
  target.meta.uid = source.meta.uid;
  target.meta.gid = source.meta.gid;
  target.meta.atime = source.meta.atime;
  target.meta.mtime = source.meta.mtime;
  target.meta.ctime = core.now();
  Xattrs& xattrs = *target.xattrs;
  for (const auto& [name, value] : std::exchange(xattrs.values, {})) xattrs.changed[name] = false;
  xattrs.values = source.xattrs->values;
  for (const auto& [name, value] : xattrs.values) xattrs.changed[name] = true;
  target.meta.has_xattrs = !xattrs.values.empty();
  core.txg.mark(target, kDirtyRow | kDirtyXattrs);
}

void take_policy(Core& core, const Node& source, Node& target) {
  target.own_policy.reset();
  if (source.own_policy) note_own_policy(core, target, source.own_policy->settings);
  core.policy_epoch++;
}

void take_content(Core& core, Node& source, Node& target) {
  forget_content(core, target);
  FileState& file = target.file;
  set_size(core, target, source.file.size);
  file.form = source.file.form;
  file.checksum = source.file.checksum;
  file.content_at = core.now();
  file.version++;
  file.continued = false;
  // An object never changes: both have it.
  file.object = source.file.object;
  if (file.form != store::Form::chunked) return;
  Content& content = content_of(target);
  content.holes = IntervalSet(content_of(source).holes.ranges());
  if (file.object) return;
  content.shared.add(0, chunks_in(file.size));
  content.shared_group = core.txg.open_number();
}

// What the kernel knows of the target is not so any more.
void tell_kernel(Core& core, const Node& target) {
  const Node* parent = core.table.find(target.first.folder.uuid);
  if (core.kernel_cache && parent) core.kernel_cache->drop_entry(parent->ino, target.first.name);
}

}  // namespace

Attempt<void> clone(Core& core, const vfs::Call& call, Ino source_ino, Ino target_ino,
                    const std::shared_ptr<CloneCheck>& check) {
  if (core.options.read_only) return error(EROFS);
  ATTEMPT(core.txg.admit(0));
  ATTEMPT_ASSIGN(Node * source, core.node(source_ino));
  ATTEMPT_ASSIGN(Node * target, core.node(target_ino));
  ATTEMPT(check_kinds(core, *source, *target));
  ATTEMPT(check_empty(core, *target));
  ATTEMPT(check_owners(core, call, *source, *target, check));
  ATTEMPT(load_xattrs(core, *source));
  ATTEMPT(load_xattrs(core, *target));
  store::Usage size;
  if (source->is_folder) {
    ATTEMPT_ASSIGN(size, size_of_clone(core, call, *source, check));
    ATTEMPT(check_room(core, size));
  } else {
    ATTEMPT(check_size(core, *target, source->file.size));
  }
  // A target that was written to and emptied again has rows to get rid of.
  publish(core, *target);
  if (source->is_folder) {
    core.txg.publish_all();
  } else {
    publish(core, *source);
  }
  if (!core.txg.cut_now()) return wait_on(core.txg.want_commit());
  take_attributes(core, *source, *target);
  if (source->is_folder) {
    promise(core, size);
    take_policy(core, *source, *target);
    target->meta.nlink = source->meta.nlink;
    target->dir.reset();
  } else {
    take_content(core, *source, *target);
  }
  target->cloned_in = core.txg.open_number();
  core.clones.push_back({.source = source->id,
                         .target = target->id,
                         .is_folder = source->is_folder,
                         .version = target->file.version,
                         .at = target->meta.ctime,
                         .owner = call.uid == 0 ? std::nullopt : std::optional(call.uid)});
  tell_kernel(core, *target);
  return {};
}

}  // namespace tusk::core
