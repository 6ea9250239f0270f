#include "core/quota.h"

#include "core/core.h"

namespace tusk::core {
namespace {

void add(store::Usage& to, const store::Usage& more, int times = 1) {
  to.files += times * more.files;
  to.folders += times * more.folders;
  to.bytes += times * more.bytes;
}

std::int64_t signed_size(std::uint64_t size) { return static_cast<std::int64_t>(size); }

store::Usage usage_of(const Node& node) {
  if (node.is_folder) return {.files = 0, .folders = 1, .bytes = 0};
  return {.files = 1, .folders = 0, .bytes = signed_size(node.file.size)};
}

}  // namespace

store::Usage usage_now(const Core& core) {
  store::Usage now = core.usage;
  add(now, core.claims.unsaved);
  add(now, core.claims.promised);
  return now;
}

Attempt<void> check_room(const Core& core, const store::Usage& more) {
  const store::Quota quota = core.store.quota();
  if (!quota.bytes && !quota.files) return {};
  const store::Usage now = usage_now(core);
  const std::int64_t names = now.files + now.folders - 1;  // without the root
  const std::int64_t more_names = more.files + more.folders;
  if (quota.files && more_names > 0 && more_names > *quota.files - names) return error(EDQUOT);
  if (quota.bytes && more.bytes > 0 && more.bytes > *quota.bytes - now.bytes) return error(EDQUOT);
  return {};
}

Attempt<void> check_size(const Core& core, const Node& file, std::uint64_t size) {
  if (size <= file.file.size) return {};
  // What has no name any more is not counted; by itself it may be as large as there is room.
  const std::uint64_t counted = file.gone ? 0 : file.file.size;
  return check_room(core, {.files = 0, .folders = 0, .bytes = signed_size(size - counted)});
}

void set_size(Core& core, Node& file, std::uint64_t size) {
  const std::int64_t more = signed_size(size) - signed_size(file.file.size);
  file.file.size = size;
  if (file.gone) return;
  core.claims.unsaved.bytes += more;
  if (more > 0) core.claims.grown.bytes += more;
}

void count_new(Core& core, const Node& node) {
  add(core.claims.unsaved, usage_of(node));
  add(core.claims.grown, usage_of(node));
}

void count_gone(Core& core, const Node& node) { add(core.claims.unsaved, usage_of(node), -1); }

void promise(Core& core, const store::Usage& more) {
  add(core.claims.promised, more);
  add(core.claims.grown, more);
}

}  // namespace tusk::core
