// The door to what a tree was, for the tree .tusk. Asynchronous as Store, with its errors; a
// listing is one statement, so it is of one moment.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "tuskfs/store/history.h"
#include "tuskfs/store/store.h"

namespace tusk::store {

// A file or folder as it was. The name is the one it was listed under.
struct PastItem {
  bool is_folder = false;
  FileRow row;       // of a folder: id, folder, name, meta and damaged
  WallTime until{};  // when it lost that name, was deleted or overwritten
  std::optional<uid_t> deleted_by;
};
using PastItems = std::vector<PastItem>;

// Something, looked at as it was until a moment.
struct PastBound {
  Uuid id;
  WallTime until{};
};

class PastStore {
 public:
  virtual ~PastStore() = default;

  // Empty: there was no tree at that moment.
  virtual void past_root(WallTime, Callback<Result<std::optional<FolderRow>>>) = 0;
  // An empty `name` asks for all.
  virtual void moment_folder(FolderId, WallTime, const std::string& name,
                             Callback<Result<PastItems>>) = 0;
  virtual void history_folders(const std::vector<PastBound>& folders, const std::string& name,
                               Callback<Result<PastItems>>) = 0;
  // The oldest first.
  virtual void history_versions(const std::vector<PastBound>& files,
                                Callback<Result<PastItems>>) = 0;
  virtual void trash_tops(Callback<Result<PastItems>>) = 0;
  virtual void trash_folder(FolderId, Callback<Result<PastItems>>) = 0;
  // The path that something has or had last.
  virtual void past_path(Uuid, Callback<Result<std::string>>) = 0;
  virtual void past_xattrs(Uuid owner, Callback<Result<std::vector<XattrRow>>>) = 0;

  virtual void snapshots(const std::string& name, Callback<Result<std::vector<Snapshot>>>) = 0;
  // EEXIST, ENOENT.
  virtual void take_snapshot(const std::string& name, WallTime, Callback<Result<void>>) = 0;
  virtual void remove_snapshot(const std::string& name, Callback<Result<void>>) = 0;

  // A file or an empty folder in the trash goes for good. ENOENT; ENOTEMPTY; EBUSY: a snapshot
  // needs it, or rows of applications refer to it.
  virtual void purge_trashed(Uuid, Callback<Result<void>>) = 0;

  // Content of a version. EIO, with a log line, when it is not what it should be.
  virtual void past_inline(const FileRow&, Callback<Result<SharedBytes>>) = 0;
  // One for each chunk of the range; null: a hole.
  virtual void past_chunks(const FileRow&, ChunkRange,
                           Callback<Result<std::vector<SharedBytes>>>) = 0;
};

}  // namespace tusk::store
