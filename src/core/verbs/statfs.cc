#include <algorithm>

#include "core/verbs.h"

namespace tusk::core {

vfs::Statfs statfs(const Core& core) {
  // A server elsewhere does not tell how much room its disk has.
  constexpr std::uint64_t kUnknownFree = std::uint64_t{1} << 50;
  vfs::Statfs out;
  const std::uint64_t free = core.options.free_bytes ? core.options.free_bytes() : kUnknownFree;
  const std::uint64_t used =
      static_cast<std::uint64_t>(std::max<std::int64_t>(core.usage.bytes, 0));
  out.blocks_free = out.blocks_available = free / out.block_size;
  out.blocks = out.blocks_free + (used + out.block_size - 1) / out.block_size;
  const auto files = std::max<std::int64_t>(core.usage.files + core.usage.folders, 0);
  out.files_free = free / 1024;  // about what a row takes
  out.files = out.files_free + static_cast<std::uint64_t>(files);
  return out;
}

}  // namespace tusk::core
