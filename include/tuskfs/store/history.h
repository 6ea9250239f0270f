// What a tree was: past names, contents, the trash, snapshots. Blocking, for the command line.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tuskfs/base/result.h"
#include "tuskfs/objects/objects.h"
#include "tuskfs/store/rows.h"

namespace tusk::store {

struct PastEntry {
  Uuid id;
  bool is_folder = false;
  std::string name;
};

struct PastVersion {
  Version version = 0;
  std::uint64_t size = 0;
  WallTime since{};
  std::optional<WallTime> until;  // absent: the present content
  WallTime mtime{};
  uid_t uid = 0;
  mode_t mode = 0;
  Form form = Form::inline_data;
  std::vector<ChunkRange> holes;
  std::optional<Checksum> checksum;
  std::optional<Uuid> object;      // as FileRow's
  std::string why;                 // created, overwritten, edited or restored
  std::optional<Version> same_as;  // restored: the version that it is again
};

// What happened to a name of a file: renamed, unlinked (one name of several), deleted.
struct NameEvent {
  WallTime at{};
  std::string what;
  std::string path;
  std::string new_path;     // renamed
  std::optional<uid_t> by;  // deleted
};

struct TreeDifference {
  std::string what;  // added, changed, renamed, deleted
  bool is_folder = false;
  std::string path;
  std::string old_path;  // renamed
  std::uint64_t old_size = 0, new_size = 0;
  bool content = false;  // the content is another
};

struct TrashEntry {
  std::string path;
  bool is_folder = false;
  std::uint64_t size = 0;
  WallTime deleted_at{};
  uid_t deleted_by = 0;
};

struct Snapshot {
  std::string name;
  WallTime taken_at{};
};

// Of live, versions, trash and external: how many there are, the bytes of their contents, and those
// that the database holds for them.
struct SpaceUsed {
  std::string what;
  std::int64_t count = 0, bytes = 0, held = 0;
};

// Paths are absolute within the tree.
class History {
 public:
  // `objects`: to read large files. ENOENT: no such tree. Fails as migrate does on a database it
  // cannot work with.
  static Result<std::unique_ptr<History>> open(const std::string& conninfo,
                                               const std::string& tenant,
                                               const objects::Access& objects = {});
  virtual ~History() = default;

  // What the path named at that moment.
  virtual Result<std::optional<PastEntry>> resolve(const std::string& path, WallTime at) = 0;
  // The last moment at which the path named what is gone now.
  virtual Result<std::optional<WallTime>> last_seen(const std::string& path) = 0;
  virtual Result<std::vector<PastEntry>> folder(FolderId folder, WallTime at) = 0;
  // The present content first.
  virtual Result<std::vector<PastVersion>> versions(FileId file) = 0;
  // These are kept as they were last, not as of a moment. Mode, owners and mtime; ENOENT.
  virtual Result<Meta> folder_meta(FolderId folder) = 0;
  virtual Result<std::vector<XattrRow>> xattrs(Uuid owner) = 0;
  // The content, piece by piece; holes are zeros. EIO when it does not match its checksum, which
  // may come after pieces have been handed out.
  using Sink = std::function<Result<void>(ByteSpan)>;
  virtual Result<void> read(FileId file, const PastVersion& version, const Sink& sink) = 0;

  virtual Result<std::vector<NameEvent>> events(FileId file) = 0;

  // How what is below a folder differs between two moments; paths begin at the folder, which may
  // have been another one at the first. By path.
  struct Side {
    FolderId folder;
    WallTime at{};
  };
  virtual Result<std::vector<TreeDifference>> diff(const Side& from, const Side& to) = 0;

  virtual Result<std::vector<SpaceUsed>> space_used(const PastEntry& entry) = 0;

  virtual Result<std::vector<TrashEntry>> trash() = 0;
  virtual Result<std::vector<Snapshot>> snapshots() = 0;
  // ENOENT.
  virtual Result<void> remove_snapshot(const std::string& name) = 0;

  struct Collected {
    std::int64_t files = 0, folders = 0, versions = 0, objects = 0;
  };
  // Everything that is past its time goes for good, and objects to which nothing has referred for
  // `object_grace`.
  virtual Result<Collected> collect_garbage(std::chrono::seconds object_grace) = 0;
};

}  // namespace tusk::store
