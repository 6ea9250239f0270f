// Content of versions: what the rows hold, checked against what the version says of it.
#pragma once

#include <vector>

#include "tiers.h"

namespace tusk::store {

struct VersionContent {
  FileId file;
  Version version = 0;
  std::uint64_t size = 0;
  std::vector<ChunkRange> holes = {};
  std::optional<Checksum> checksum = {};
  std::optional<Uuid> object = {};
};

// ENOENT: purged meanwhile. EIO: not what it should be.
Result<SharedBytes> inline_content_of(Loader& loader, const VersionContent& wanted);
// One for each chunk of the range; null: a hole.
Result<std::vector<SharedBytes>> chunks_of(Tiers& tiers, Loader& loader,
                                           const VersionContent& wanted, ChunkRange range);

}  // namespace tusk::store
