#include "past_content.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

namespace tusk::store {
namespace {

std::unexpected<Error> damaged(const VersionContent& wanted, std::string_view how) {
  return fail(EIO, fmt::format("version {} of file {} is damaged: {}", wanted.version,
                               wanted.file.uuid.text(), how));
}

}  // namespace

Result<SharedBytes> inline_content_of(Loader& loader, const VersionContent& wanted) {
  const Params params = Params().add(wanted.file).add(wanted.version);
  TRY_ASSIGN(const auto found, loader.ask({{"inline_version", params}}));
  if (found[0].rows() == 0 || found[0].row(0).is_null(0)) {
    return fail(ENOENT, fmt::format("version {} has just been purged", wanted.version));
  }
  const ByteSpan data = found[0].row(0).bytes(0);
  if (data.size() != wanted.size) return damaged(wanted, "its size is another one");
  if (wanted.checksum && checksum_of(data) != *wanted.checksum)
    return damaged(wanted, "it does not match its checksum");
  return std::make_shared<Buffer>(data.begin(), data.end());
}

Result<std::vector<SharedBytes>> chunks_of(Tiers& tiers, Loader& loader,
                                           const VersionContent& wanted, ChunkRange range) {
  TRY_ASSIGN(const std::vector<Chunk> found,
             tiers.read({wanted.file, range, wanted.version, {}, wanted.object}, loader));
  std::vector<SharedBytes> chunks(static_cast<std::size_t>(range.last - range.first));
  auto next = found.begin();
  for (std::int64_t number = range.first; number < range.last; number++) {
    if (next != found.end() && next->number < number) ++next;
    const bool is_hole = std::ranges::any_of(wanted.holes, [number](const ChunkRange& hole) {
      return number >= hole.first && number < hole.last;
    });
    if (is_hole) continue;
    if (next == found.end() || next->number != number)
      return damaged(wanted, fmt::format("chunk {} is missing", number));
    chunks[static_cast<std::size_t>(number - range.first)] = next->data;
  }
  return chunks;
}

}  // namespace tusk::store
