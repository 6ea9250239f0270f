// open, create, release.
#include <fcntl.h>

#include "core/content_ops.h"
#include "core/publish.h"
#include "core/tree.h"
#include "core/verbs.h"

namespace tusk::core {
namespace {

bool writes(int flags) { return (flags & O_ACCMODE) != O_RDONLY; }

Handle add_handle(Core& core, Node& node, int flags, bool tells_close) {
  const std::uint64_t handle = core.next_handle++;
  const OpenFile file{&node, flags, writes(flags) && !tells_close};
  core.open_files.emplace(handle, file);
  node.opens++;
  if (writes(flags)) node.writers++;
  if (file.is_quiet) node.quiet_writers++;
  return Handle{handle};
}

vfs::Opened opened(Core& core, Node& node, int flags) {
  const bool tells_close = !core.presence.is_alone() || core.file_locks.local().has(node.ino);
  return {.handle = add_handle(core, node, flags, tells_close),
          .direct = !core.presence.is_alone() && (flags & O_APPEND) != 0,
          .flush = tells_close};
}

// As others have left it. The name that the kernel found may be another file's by now: it is to
// look it up again, which tells what others did until then.
Attempt<void> arrive(Core& core, const vfs::Call& call, Node& node, Arrival& arrival) {
  using Retry = StaleNames::Retry;
  if (arrival.has_arrived) return {};
  if (!arrival.retry) arrival.retry = core.stale_names.retry_of(call, node.ino);
  if (arrival.retry != Retry::looked_up) ATTEMPT(core.presence.catch_up(arrival.look));
  const bool is_doubtful = arrival.retry == Retry::no && core.stale_names.is_doubtful(node.ino);
  if (is_doubtful || (node.gone && node.removed_elsewhere)) {
    core.stale_names.told(call, node.ino);
    return error(ESTALE);
  }
  ATTEMPT(core.presence.kernel_forgot(node));
  arrival.has_arrived = true;
  return {};
}

}  // namespace

Attempt<void> look_anew(Core& core, Ino ino, Presence::Look& look) {
  ATTEMPT(core.presence.catch_up(look));
  ATTEMPT_ASSIGN(const Node* node, core.node(ino));
  return core.presence.kernel_forgot(*node);
}

Attempt<vfs::Opened> open(Core& core, const vfs::Call& call, Ino ino, int flags, Arrival& arrival) {
  ATTEMPT_ASSIGN(Node * node, core.regular(ino));
  if (flags & O_TRUNC) ATTEMPT(core.txg.admit(0));
  ATTEMPT(arrive(core, call, *node, arrival));
  if (flags & O_TRUNC) {
    ATTEMPT(truncate_content(core, *node, 0));
    note_modified(core, call, *node);
    core.txg.mark(*node, kDirtyRow);
  }
  return opened(core, *node, flags);
}

Attempt<vfs::Created> create(Core& core, const vfs::Call& call, Ino parent, std::string_view name,
                             mode_t mode, int flags) {
  const mode_t kept = S_IFREG | (mode & 07777);
  auto made = make_node(core, call, parent, name, {kept, 0});
  // Another mount was faster: the kernel, which must check permissions, looks it up again.
  if (!made && made.error().code == EEXIST && !(flags & O_EXCL)) {
    core.stale_names.told(call, {});
    return error(ESTALE);
  }
  ATTEMPT_ASSIGN(Node * node, std::move(made));
  return vfs::Created{entry_of(*node), opened(core, *node, flags)};
}

bool is_written_quietly(Core& core, Ino ino) {
  const Node* node = core.table.find(ino);
  return node && node->quiet_writers > 0;
}

void release(Core& core, Handle handle) {
  const auto it = core.open_files.find(static_cast<std::uint64_t>(handle));
  if (it == core.open_files.end()) return;
  Node& node = *it->second.node;
  const bool may_have_written = writes(it->second.flags);
  if (it->second.is_quiet) node.quiet_writers--;
  core.open_files.erase(it);
  node.opens--;
  if (may_have_written) node.writers--;
  if (node.opens == 0 && std::exchange(node.sustained, false))
    core.store.sustain({node.file_id()}, false);
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
