// An inode in memory and what hangs on it.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/content.h"
#include "core/dir.h"
#include "core/parking.h"
#include "tuskfs/base/ids.h"
#include "tuskfs/store/group.h"

namespace tusk::core {

// What of a node the open transaction group must write; a set of bits.
enum Dirty : std::uint8_t {
  kDirtyRow = 1,      // attributes or first name
  kDirtyContent = 2,  // a published content (FileState::content->delta)
  kDirtyXattrs = 4,
  kDirtyLinks = 8,
  kDirtyStage = 16,  // chunks ahead of their publication
  kDirtyGone = 32,   // no name left
  kDirtyLazy = 64,   // atime alone: goes with the next group, asks for none
};

struct Name {
  FolderId folder;
  std::string name;
  bool operator==(const Name&) const = default;
};

// The first name as the last cut left it, and when the present one took its place.
struct StoredName {
  Name name;
  WallTime renamed_at{};
};

// Further names of a hard-linked file.
struct Links {
  std::vector<Name> names;   // as now
  std::vector<Name> stored;  // as the last cut left them
};

struct Xattrs {
  std::map<std::string, Buffer, std::less<>> values;
  std::map<std::string, bool, std::less<>>
      changed;  // since the last cut; true: set, false: removed
};

struct FileState {
  std::uint64_t size = 0;
  Version version = 0;  // of the last published content; 0: never published
  store::Form form = store::Form::inline_data;
  std::optional<Uuid> object;        // that has the last published content's chunks
  std::optional<Checksum> checksum;  // of the last published content
  WallTime content_at{};             // since when this is the content, as history counts
  Version kept = 0;         // no row of a chunk up to this version may go: history may need it
  bool left_empty = false;  // version 0 counts: it was closed, or made, without content
  bool continued = false;   // the last publication was not by the last close of a writer
  std::unique_ptr<Content> content;  // what of it is in memory; null: nothing
};

// What a folder sets for itself and what is below it, and what holds there by it.
struct OwnPolicy {
  store::PolicySettings settings;
  store::Policy effective;  // while the node's policy_epoch is the core's
};

// What is being loaded for a node, and who waits for it.
struct NodeLoads {
  Waiters dir, whole, xattrs, links;
  Version whole_version = 0;  // as asked for
  bool dir_loading = false, whole_loading = false, xattrs_loading = false, links_loading = false;
};

// Invariants:
// 1. A node is in the table while it has a dentry in memory, a lookup count, an open handle, a
// dirty
//    bit, a group not yet committed or a load under way; else it may be dropped.
// 2. A folder's `dir` is complete or null. A folder made by this mount is complete from birth.
// 3. `stored`: a cut has written its row, so that the row exists once that group has committed.
struct Node {
  Uuid id;
  Ino ino{};
  bool is_folder = false;
  bool damaged = false;  // its row makes no sense: EIO
  bool stored = false;
  bool gone = false;               // no name left
  bool removed_elsewhere = false;  // gone by another mount or an SQL client
  bool sustained = false;          // for that it is kept, as it is open here
  bool displaced = false;          // others' work stands where it was; its user is to be told
  bool counted = false;            // in the usage counters, with stored_size bytes
  std::uint8_t dirty = 0;          // of Dirty
  store::Meta meta;
  std::uint32_t opens = 0;
  std::uint32_t writers = 0;        // of the opens
  std::uint32_t quiet_writers = 0;  // of these, see OpenFile
  std::uint32_t dentries = 0;
  std::uint64_t lookups = 0;
  Name first;           // the root is its own folder
  GroupNo group{};      // last group that changed it
  GroupNo cloned_in{};  // what the store has of it, or below it, is there once this has committed
  std::uint64_t stored_size = 0;
  std::uint64_t pushed_in = 0;  // round in which the kernel was told to forget it (Presence)
  std::optional<StoredName> stored_name;  // once `first` differs
  FileState file;
  std::unique_ptr<Dir> dir;
  std::unique_ptr<Links> links;    // null: none, or not loaded while nlink > 1
  std::unique_ptr<Xattrs> xattrs;  // null: none, or not loaded while has_xattrs
  std::unique_ptr<NodeLoads> loads;
  std::unique_ptr<store::Deletion> deletion;  // gone, to the trash
  std::unique_ptr<OwnPolicy> own_policy;      // of a folder that sets something
  const store::Policy* policy = nullptr;      // of a folder; while policy_epoch is the core's
  std::uint64_t policy_epoch = 0;

  bool is_regular() const { return S_ISREG(meta.mode); }
  NodeLoads& load_state() {
    if (!loads) loads = std::make_unique<NodeLoads>();
    return *loads;
  }
  FileId file_id() const { return {id}; }
  FolderId folder_id() const { return {id}; }
};

}  // namespace tusk::core
