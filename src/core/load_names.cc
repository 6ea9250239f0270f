#include "core/asking.h"
#include "core/core.h"
#include "core/loads.h"
#include "tuskfs/base/log.h"

namespace tusk::core {
namespace {

void ask_xattrs(Core& core, Uuid id) {
  core.store.load_xattrs(id, [&core, id, asked = core.delegation.epoch()](auto result) {
    if (asked_again(core, result, [&core, id] { ask_xattrs(core, id); })) return;
    Node& node = *core.table.find(id);
    if (asked != core.delegation.epoch() && !node.xattrs) return ask_xattrs(core, id);
    node.loads->xattrs_loading = false;
    // They have come from elsewhere meanwhile, and may have changed since.
    if (node.xattrs) return core.lot.wake(node.loads->xattrs);
    if (!result) {
      log::error("extended attributes of {} cannot be loaded: {}", id.text(), result.error().what);
      return core.lot.wake(node.loads->xattrs, result.error().code);
    }
    node.xattrs = std::make_unique<Xattrs>();
    for (auto& row : *result) node.xattrs->values[row.name] = std::move(row.value);
    core.lot.wake(node.loads->xattrs);
  });
}

void ask_links(Core& core, Uuid id) {
  core.store.load_links({id}, [&core, id, asked = core.delegation.epoch()](auto result) {
    if (asked_again(core, result, [&core, id] { ask_links(core, id); })) return;
    Node& node = *core.table.find(id);
    if (asked != core.delegation.epoch() && !node.links) return ask_links(core, id);
    node.loads->links_loading = false;
    // They have come from elsewhere meanwhile, and may have changed since.
    if (node.links) return core.lot.wake(node.loads->links);
    if (!result) {
      log::error("names of file {} cannot be loaded: {}", id.text(), result.error().what);
      return core.lot.wake(node.loads->links, result.error().code);
    }
    node.links = std::make_unique<Links>();
    for (auto& row : *result) node.links->names.push_back({row.folder, std::move(row.name)});
    node.links->stored = node.links->names;
    core.lot.wake(node.loads->links);
  });
}

}  // namespace

Attempt<void> load_xattrs(Core& core, Node& node) {
  if (node.xattrs) return {};
  if (!node.meta.has_xattrs || !node.stored) {
    node.xattrs = std::make_unique<Xattrs>();
    return {};
  }
  NodeLoads& loads = node.load_state();
  if (!std::exchange(loads.xattrs_loading, true)) ask_xattrs(core, node.id);
  return wait_on(loads.xattrs);
}

Attempt<void> load_links(Core& core, Node& node) {
  if (node.links) return {};
  if (node.meta.nlink == 1 || !node.stored) {
    node.links = std::make_unique<Links>();
    return {};
  }
  NodeLoads& loads = node.load_state();
  if (!std::exchange(loads.links_loading, true)) ask_links(core, node.id);
  return wait_on(loads.links);
}

}  // namespace tusk::core
