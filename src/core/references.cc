#include "core/references.h"

#include "core/asking.h"
#include "tuskfs/base/log.h"

namespace tusk::core {
namespace {

void ask(Core& core, std::shared_ptr<ReferenceCheck> check) {
  core.store.load_reference(check->id, [&core, check](Result<std::string> constraint) {
    if (asked_again(core, constraint, [&core, check] { ask(core, check); })) return;
    check->constraint = std::move(constraint);
    core.lot.wake(check->waiters);
  });
}

}  // namespace

Attempt<void> check_unreferenced(Core& core, const Node& node,
                                 std::shared_ptr<ReferenceCheck>& check) {
  if (!core.store.has_references() || !node.stored) return {};
  if (!node.is_folder && node.meta.nlink > 1) return {};
  if (!check || check->id != node.id) {
    check = std::make_shared<ReferenceCheck>();
    check->id = node.id;
    ask(core, check);
  }
  if (!check->constraint) return wait_on(check->waiters);
  if (!*check->constraint) {
    log::error("cannot tell what refers to {}: {}", node.id.text(),
               check->constraint->error().what);
    return error(EIO);
  }
  if ((*check->constraint)->empty()) return {};
  log::warning("{} is not deleted: {} refers to it", node.id.text(), **check->constraint);
  return error(EBUSY);
}

}  // namespace tusk::core
