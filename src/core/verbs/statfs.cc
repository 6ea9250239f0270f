#include <algorithm>

#include "core/quota.h"
#include "core/verbs.h"

namespace tusk::core {
namespace {

// A server elsewhere does not tell how much room its disk has.
constexpr std::uint64_t kUnknownFree = std::uint64_t{1} << 50;

std::uint64_t at_least_0(std::int64_t count) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(count, 0));
}

std::uint64_t blocks_of(std::uint64_t bytes, std::uint64_t block_size) {
  return (bytes + block_size - 1) / block_size;
}

}  // namespace

vfs::Statfs statfs(const Core& core) {
  vfs::Statfs out;
  const store::Usage now = usage_now(core);
  const store::Quota quota = core.store.quota();
  const std::uint64_t free = core.options.free_bytes ? core.options.free_bytes() : kUnknownFree;
  const std::uint64_t used = blocks_of(at_least_0(now.bytes), out.block_size);
  out.blocks_free = out.blocks_available = free / out.block_size;
  out.blocks = out.blocks_free + used;
  // A quota is the size of the filesystem; there may be less on the disk.
  if (quota.bytes) {
    out.blocks = std::max(at_least_0(*quota.bytes) / out.block_size, used);
    out.blocks_free = out.blocks - used;
    out.blocks_available = std::min(out.blocks_available, out.blocks_free);
  }
  const std::uint64_t files = at_least_0(now.files + now.folders);
  out.files_free = free / 1024;  // about what a row takes
  out.files = out.files_free + files;
  if (quota.files) {
    const std::uint64_t counted = files - std::min<std::uint64_t>(files, 1);  // without the root
    out.files = std::max(at_least_0(*quota.files), counted);
    out.files_free = out.files - counted;
  }
  return out;
}

}  // namespace tusk::core
