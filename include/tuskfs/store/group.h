// A transaction group: the state of everything that changed up to one moment, as plain rows that
// share immutable buffers. Being state, it may be sent twice.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tuskfs/store/rows.h"

namespace tusk::store {

// What went to the trash: its row stays, with the folder and name it had.
struct Deletion {
  WallTime at{};
  uid_t by = 0;
};

// A file's whole row. With `content`, inserted or replaced together with its data; without, the row
// exists and all columns but `data` (and mime_type, unless the name tells a new one) are updated.
struct FileChange {
  FileRow row;
  bool has_content = false;  // false: row.form, size, version, holes are still written; data is not
  SharedBytes data;          // with has_content and Form::inline_data; null means empty
  SharedBytes head;          // first bytes of a chunked file where known, to tell its mime type
  bool orphan = false;  // no name left: the row keeps its content, unseen, while a mount has it
                        // open
  bool is_open = true;  // of an orphan: by this mount
  std::optional<Deletion> trashed;  // no name left, and in the trash with this state
  // The stored content becomes a version that ended then, unless the new one is the same.
  std::optional<WallTime> previous_until;
  bool only_read = false;  // nothing but when it was read
  bool is_new = false;     // no group before had it: no other mount can know it
  Version base = 0;  // chunked, with content: chunks that no group brings are those of this version
};

struct Trashed {
  Uuid id;
  Deletion deletion;
};

// Something leaves the trash for a place in the tree, with all that went with it. The database
// refuses what is not there any more. Counts itself into the usage.
struct Restore {
  Uuid id;
  FolderId folder;
  std::string name;
  WallTime at{};
};

// The stored name of a file or folder has ended.
struct NameEnd {
  Uuid id;
  WallTime at{};
};

// Content of one chunk, at most kChunkBytes; what is missing at its end reads as zeros.
struct ChunkPut {
  FileId file;
  std::int64_t chunk = 0;
  Version version = 0;
  SharedBytes data;
};

// `count` chunks of `target` from `target_first` on are those of `source` from `source_first` on,
// as of `source_version`. Chunks that `source` does not have are skipped. Whether a share sees what
// another one of the same group made is not promised.
struct ChunkShare {
  FileId target;
  std::int64_t target_first = 0;
  Version target_version = 0;
  FileId source;
  std::int64_t source_first = 0;
  Version source_version = 0;
  std::int64_t count = 0;
};

// Where the chunks are that a content has and a group does not bring.
struct ChunkSource {
  Version version = 0;  // of the file's rows, unless they are in an object
  std::optional<Uuid> object;
  std::uint64_t size = 0;  // of the content; 0: there are none
  std::vector<ChunkRange> holes;
};

// Chunks on their way to an object that becomes the content of a file.
struct ObjectWrite {
  Uuid object;
  FileId file;
  ChunkSource base;  // the same in every write of the object
  struct Put {
    std::int64_t chunk = 0;
    SharedBytes data;
  };
  std::vector<Put> puts;
  // Its last write: the group commits once the object is durable with this size and these holes.
  struct Finish {
    std::uint64_t size = 0;
    std::vector<ChunkRange> holes;
  };
  std::optional<Finish> finish;
  Buffer sums;  // filled in by the store when it has finished the object
};

// Chunks that come from an object into rows of `version`.
struct ObjectFetch {
  FileId file;
  Version version = 0;
  Uuid object;
  std::vector<ChunkRange> ranges;
};

// Rows of these chunks with a version in [from, below) go (those that others share stay, unseen).
struct ChunkDrop {
  FileId file;
  ChunkRange range;
  Version from = 0;
  Version below = 0;
};

// What is below the folder `source` as of the group before is made anew below the folder `target`,
// which is empty, or the content of the file `source` becomes that of the file `target`. Chunks are
// shared. The row of `target` itself and its attributes are other members' business. Counts itself
// into the usage (but for the target); not state: a group that has one must be durable.
struct Clone {
  Uuid source;
  Uuid target;
  bool is_folder = false;
  Version version = 0;         // of a file: what the target's becomes
  WallTime at{};               // since when the new names are there
  std::optional<uid_t> owner;  // what is not this user's is left out
};

// Chunks of `version` are stored ahead of their publication. Undone by the next mount when the
// driver dies before `staged` turns false.
struct Staging {
  FileId file;
  Version version = 0;
  bool staged = true;
};

// Applied in the order of the members.
struct Group {
  GroupNo number{};
  bool durable = false;  // commit waits for the disk

  std::vector<Clone> clones;            // before everything else, and at most one
  std::vector<Uuid> objects_abandoned;  // written in part, and no longer wanted
  std::vector<ObjectWrite> object_writes;
  std::vector<ObjectFetch> object_fetches;
  std::vector<ChunkShare> chunk_shares;
  std::vector<LinkRow> links_removed;
  std::vector<FileId> files_deleted;      // with their versions, chunks, links, xattrs and staging
  std::vector<FolderId> folders_deleted;  // with their xattrs
  std::vector<Trashed> files_trashed;     // that have not changed otherwise
  std::vector<Trashed> folders_trashed;
  std::vector<NameEnd> file_names_ended;
  std::vector<NameEnd> folder_names_ended;
  std::vector<FileId> files_vacated;  // leave their committed name, as another row takes it
  std::vector<FolderId> folders_vacated;
  std::vector<FolderRow> folders;
  std::vector<Restore> restores;  // into folders that may be new
  std::vector<FileChange> files;
  std::vector<LinkRow> links_added;
  std::vector<XattrRow> xattrs_set;
  std::vector<XattrRow> xattrs_removed;  // owner and name
  std::vector<ChunkDrop> chunk_drops;
  std::vector<ChunkPut> chunk_puts;
  std::vector<Staging> stagings;
  Usage usage;                           // after this group
  std::optional<PolicySettings> policy;  // of the root, all of it

  // Something in it counts itself: what the usage is afterwards only the database can tell.
  bool counts_itself() const { return !clones.empty() || !restores.empty(); }
};

}  // namespace tusk::store
