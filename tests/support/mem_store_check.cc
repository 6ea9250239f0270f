// What MemStore holds: contents as SQL clients read them, and the invariants.
#include <algorithm>

#include "support/mem_store.h"

namespace tusk::testing {

using namespace store;

std::optional<Buffer> MemStore::content(FileId id) const {
  const auto data = state_.data.find(id);
  return content(state_.files.at(id), data == state_.data.end() ? nullptr : data->second);
}

std::optional<Buffer> MemStore::content(const FileRow& row, const SharedBytes& inline_data) const {
  if (row.form == Form::inline_data) {
    if (!inline_data || inline_data->size() != row.size) return std::nullopt;
    return *inline_data;
  }
  Buffer out(row.size);
  std::fill(out.begin(), out.end(), std::uint8_t{0});
  for (std::uint64_t at = 0; at < row.size; at += kChunkBytes) {
    const auto chunk = static_cast<std::int64_t>(at / kChunkBytes);
    const bool hole = std::ranges::any_of(
        row.holes, [chunk](const ChunkRange& r) { return chunk >= r.first && chunk < r.last; });
    if (hole) continue;
    const SharedBytes data = stored_chunk({row.id, {}, row.version, {}, row.object}, chunk);
    if (!data) return std::nullopt;
    const auto size = std::min<std::uint64_t>(data->size(), row.size - at);
    std::copy_n(data->begin(), size, out.begin() + static_cast<std::ptrdiff_t>(at));
  }
  return out;
}

std::string MemStore::check() const {
  if (!broken_.empty()) return broken_;
  std::set<std::pair<FolderId, std::string>> names;
  const auto take = [&](FolderId folder, const std::string& name) {
    return state_.folders.contains(folder) && names.insert({folder, name}).second;
  };
  Usage counted;
  for (const auto& [id, row] : state_.folders) {
    if (is_trashed(id.uuid)) continue;
    counted.folders++;
    if (id != root_ && !take(row.parent, row.name))
      return "folder " + row.name + " has no place of its own";
  }
  std::map<FileId, std::uint32_t> link_counts;
  for (const auto& [place, id] : state_.links) {
    if (!state_.files.contains(id)) return "further name " + place.second + " has no file";
    if (!take(place.first, place.second))
      return "further name " + place.second + " has no place of its own";
    link_counts[id]++;
  }
  for (const auto& [id, row] : state_.files) {
    if (!content(id)) {
      return "file " + row.name + (is_hidden(id) ? ", hidden," : "") + " has no whole content";
    }
    if (is_hidden(id)) continue;
    counted.files++;
    counted.bytes += static_cast<std::int64_t>(row.size);
    if (!take(row.folder, row.name)) return "file " + row.name + " has no place of its own";
    if (row.meta.nlink != 1 + link_counts[id])
      return "file " + row.name + " has a wrong link count";
  }
  for (const auto& [key, version] : state_.versions) {
    if (!content(version.first, version.second))
      return "version " + std::to_string(key.second) + " of file " + version.first.name +
             " has no whole content";
  }
  for (const auto& [key, data] : state_.chunks) {
    const auto& [id, chunk, version] = key;
    const auto file = state_.files.find(id);
    const bool published = file != state_.files.end() && version <= file->second.version;
    if (published || state_.staged.contains({id, version})) continue;
    return "chunk " + std::to_string(chunk) + " of version " + std::to_string(version) +
           " belongs to nothing";
  }
  if (counted != state_.usage) return "the usage counters are wrong";
  return "";
}

}  // namespace tusk::testing
