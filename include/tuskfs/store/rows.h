// Rows as the store keeps them: plain state, no behaviour.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tuskfs/base/bytes.h"
#include "tuskfs/base/executor.h"
#include "tuskfs/base/ids.h"

namespace tusk::store {

inline constexpr std::uint64_t kChunkBytes = 64 * 1024;

// What files and folders have in common.
struct Meta {
  mode_t mode = 0;
  uid_t uid = 0;
  gid_t gid = 0;
  std::uint32_t nlink = 1;
  dev_t rdev = 0;
  WallTime atime{}, mtime{}, ctime{};
  bool has_xattrs = false;
};

// What a folder sets of its policy, for itself and what is below it: numbers, times in seconds.
using PolicySettings = std::map<std::string, std::int64_t, std::less<>>;

struct FolderRow {
  FolderId id;
  FolderId parent;  // the root is its own parent
  std::string name;
  Meta meta;
  WallTime renamed_at{};  // in a group: when it got this name, where that is not its first
  bool damaged = false;   // makes no sense as it stands: shown, and EIO on use
  PolicySettings policy =
      {};  // loaded; written by its extended attributes, the root's by the group
};

// Half-open range of chunk numbers.
struct ChunkRange {
  std::int64_t first = 0;
  std::int64_t last = 0;
  bool operator==(const ChunkRange&) const = default;
};

// inline_data: files.data holds everything. chunked: data is NULL, file_chunks has a row for every
// chunk below the size that is not in `holes`.
enum class Form : std::uint8_t { inline_data, chunked };

// Symlinks (target in the inline data), FIFOs, sockets and devices are rows of files too.
struct FileRow {
  FileId id;
  FolderId folder;  // with `name`: the file's first name; further ones are LinkRows
  std::string name;
  Meta meta;
  std::uint64_t size = 0;
  Version version = 0;
  Form form = Form::inline_data;
  std::vector<ChunkRange> holes;     // chunked only, in order, not touching
  std::optional<Uuid> object;        // chunked only: the chunks are in this object, not in rows
  std::optional<Checksum> checksum;  // of the whole content; absent once edited in place
  WallTime content_at{};             // since when the content is the present one
  WallTime renamed_at{};             // as FolderRow's
  bool damaged = false;
};

struct LinkRow {
  FileId file;
  FolderId folder;
  std::string name;
  WallTime at{};  // in a group: since when the name is there, or when it went
  bool operator==(const LinkRow&) const = default;
};

struct XattrRow {
  Uuid owner;  // of a file or a folder
  std::string name;
  Buffer value;
};

// What holds in a folder: what history keeps, and where contents go.
struct Policy {
  std::int64_t versions = 20;  // overwritten contents of a file; 0: none
  std::chrono::seconds version_age = std::chrono::days(90);
  std::chrono::seconds version_interval{10};           // contents closer together count as one
  std::chrono::seconds trash = std::chrono::days(30);  // for which deleted things stay; 0: gone
  std::uint64_t inline_below = 1 << 20;                // contents up to this are in the file's row
  std::uint64_t external_above = 10 << 20;  // larger ones are objects, where there is a place
};

// Maintained with every group, so that statfs never counts rows.
struct Usage {
  std::int64_t files = 0;
  std::int64_t folders = 0;
  std::int64_t bytes = 0;  // sum of size_bytes
  bool operator==(const Usage&) const = default;
};

}  // namespace tusk::store
