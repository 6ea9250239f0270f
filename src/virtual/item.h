// What the folders of .tusk hold.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "tuskfs/store/past.h"
#include "tuskfs/vfs/vfs.h"

namespace tusk::virt {

struct Top {};        // .tusk itself
struct Times {};      // at: any time is a name in it
struct Snapshots {};  // snapshots
struct Trash {};      // trash
// A folder in the trash.
struct TrashFolder {
  FolderId id;
};
// A folder at a moment.
struct Moment {
  FolderId id;
  WallTime at{};
};
// All that had one name: the folders' names, and the files' versions, up to when they lost it.
struct History {
  std::vector<store::PastBound> folders, files;
};
// Anything that is no folder, with one content.
struct File {
  store::FileRow row;
};
using What = std::variant<Top, Times, Snapshots, Trash, TrashFolder, Moment, History, File>;

struct Deletion {
  WallTime at{};
  uid_t by = 0;
};

struct Item {
  std::string name;
  What what;
  vfs::Attr attr;        // without an inode number
  std::string identity;  // tells what has several names; empty: its place does
  Uuid owner{};          // of its extended attributes
  bool has_xattrs = false;
  bool damaged = false;
  std::optional<Deletion> deletion = {};  // of what was deleted by itself
};

// In order of names.
using Listing = std::vector<Item>;
using SharedListing = std::shared_ptr<const Listing>;

const Item* find_item(const Listing& listing, std::string_view name);

inline bool is_folder(const Item& item) { return !std::holds_alternative<File>(item.what); }

// Items out of rows. Names that no folder can hold are left out: the store has logged them.
Item folder_item(std::string name, What what, const store::Meta& meta);
Listing items_of_moment(const store::PastItems& rows, WallTime at);
// With the modes and links that they have.
Item present_folder(const store::FolderRow& row, const Moment& moment);
Listing items_of_present(const store::PastItems& rows, WallTime at);
Listing items_of_history(const store::PastItems& rows);
Listing items_of_versions(const store::PastItems& rows);
Listing items_of_trash(const store::PastItems& rows);
Listing items_of_trash_folder(const store::PastItems& rows);
Listing items_of_snapshots(const std::vector<store::Snapshot>& rows, const store::FolderRow& root);

}  // namespace tusk::virt
