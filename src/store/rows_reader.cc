#include "rows_reader.h"

#include <sys/stat.h>

#include <algorithm>
#include <charconv>
#include <limits>

#include "tuskfs/base/log.h"
#include "tuskfs/objects/objects.h"

namespace tusk::store {
namespace {

constexpr std::size_t kLongestName = 255;

bool fits32(std::int64_t value) {
  return value >= 0 && value <= std::numeric_limits<std::uint32_t>::max();
}

bool is_name(std::string_view name) {
  return !name.empty() && name != "." && name != ".." && name.size() <= kLongestName &&
         name.find('/') == name.npos;
}

// Columns 3 to 10: mode, uid, gid, nlink, three times, has_xattrs. Empty: all is well.
std::string_view read_meta(const Row& row, Meta& meta) {
  const std::int64_t mode = row.integer(3), nlink = row.integer(6);
  if (!fits32(row.integer(4)) || !fits32(row.integer(5))) return "uid or gid out of range";
  if (nlink < 0 || !fits32(nlink)) return "nlink out of range";
  meta.mode = static_cast<mode_t>(mode);
  meta.uid = static_cast<uid_t>(row.integer(4));
  meta.gid = static_cast<gid_t>(row.integer(5));
  meta.nlink = static_cast<std::uint32_t>(nlink);
  meta.atime = {row.integer(7)};
  meta.mtime = {row.integer(8)};
  meta.ctime = {row.integer(9)};
  meta.has_xattrs = row.boolean(10);
  return mode < 0 || mode > 0177777 ? "mode out of range" : "";
}

std::string_view read_holes(const Row& row, FileRow& file) {
  constexpr int kHoles = 15;
  if (row.is_null(kHoles)) return "";
  const auto numbers = row.integers(kHoles);
  if (!numbers || numbers->size() % 2 != 0) return "holes are not pairs";
  if (file.form == Form::inline_data && !numbers->empty()) return "inline content with holes";
  std::int64_t last = -1;
  for (std::size_t i = 0; i < numbers->size(); i += 2) {
    const ChunkRange hole{(*numbers)[i], (*numbers)[i + 1]};
    if (hole.first <= last || hole.last <= hole.first) return "holes out of order";
    last = hole.last;
    file.holes.push_back(hole);
  }
  return "";
}

std::string_view read_content(const Row& row, FileRow& file) {
  const std::int64_t size = row.integer(12);
  file.version = row.integer(13);
  file.form = row.boolean(14) ? Form::chunked : Form::inline_data;
  if (size < 0) return "negative size";
  file.size = static_cast<std::uint64_t>(size);
  if (file.version < 0) return "negative version";
  file.content_at = {row.integer(18)};
  if (row.text(17) != "db") {
    file.object = objects::id_in(row.text(17));
    if (!file.object || file.form != Form::chunked) return "content where nobody knows it";
  }
  if (!row.is_null(16)) {
    Checksum checksum;
    const ByteSpan bytes = row.bytes(16);
    if (bytes.size() != checksum.bytes.size()) return "checksum of a wrong length";
    std::copy(bytes.begin(), bytes.end(), checksum.bytes.begin());
    file.checksum = checksum;
  }
  return read_holes(row, file);
}

bool is_file_type(mode_t mode) {
  return S_ISREG(mode) || S_ISLNK(mode) || S_ISFIFO(mode) || S_ISSOCK(mode) || S_ISCHR(mode) ||
         S_ISBLK(mode);
}

}  // namespace

FolderRow read_folder(const Row& row) {
  FolderRow folder{{row.uuid(0)}, {row.uuid(1)}, std::string(row.text(2)), {}};
  std::string_view wrong = read_meta(row, folder.meta);
  if (wrong.empty() && !S_ISDIR(folder.meta.mode)) wrong = "mode of something else";
  if (wrong.empty() && folder.id != folder.parent && !is_name(folder.name)) {
    wrong = "impossible name";
  }
  if (!wrong.empty()) {
    log::error("folder {} ({}) is damaged: {}", folder.id.uuid.text(), folder.name, wrong);
    folder.damaged = true;
    // The kernel must be shown something of the right kind.
    folder.meta.mode = S_IFDIR;
  }
  return folder;
}

PolicySettings read_settings(const Row& row) {
  constexpr int kSettings = 11;
  PolicySettings settings;
  if (row.is_null(kSettings)) return settings;
  std::string_view text = row.text(kSettings);
  while (!text.empty()) {
    const std::string_view pair = text.substr(0, text.find(' '));
    text.remove_prefix(std::min(text.size(), pair.size() + 1));
    const std::size_t equals = pair.rfind('=');
    if (equals == pair.npos) continue;  // a key with a space in it is none of ours
    std::int64_t value = 0;
    std::from_chars(pair.data() + equals + 1, pair.data() + pair.size(), value);
    settings.emplace(pair.substr(0, equals), value);
  }
  return settings;
}

FileRow read_file(const Row& row) {
  FileRow file;
  file.id = {row.uuid(0)};
  file.folder = {row.uuid(1)};
  file.name = row.text(2);
  std::string_view wrong = read_meta(row, file.meta);
  if (wrong.empty() && !is_file_type(file.meta.mode)) wrong = "mode of something else";
  if (wrong.empty() && !is_name(file.name)) wrong = "impossible name";
  file.meta.rdev = static_cast<dev_t>(row.integer(11));
  if (wrong.empty()) wrong = read_content(row, file);
  if (!wrong.empty()) {
    log::error("file {} ({}) is damaged: {}", file.id.uuid.text(), file.name, wrong);
    file.damaged = true;
    file.meta.mode = S_IFREG;
    file.size = 0;
  }
  return file;
}

}  // namespace tusk::store
