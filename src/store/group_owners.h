// Which rows of a group belong to which file or folder.
#pragma once

#include <type_traits>
#include <vector>

#include "tuskfs/store/group.h"

namespace tusk::store {

template <class Row>
auto& owner_of(Row& row) {
  using Plain = std::remove_const_t<Row>;
  if constexpr (std::is_same_v<Plain, FileId> || std::is_same_v<Plain, FolderId>) {
    return row.uuid;
  } else if constexpr (std::is_same_v<Plain, FileChange>) {
    return row.row.id.uuid;
  } else if constexpr (std::is_same_v<Plain, FolderRow>) {
    return row.id.uuid;
  } else if constexpr (std::is_same_v<Plain, XattrRow>) {
    return row.owner;
  } else if constexpr (requires { row.file; }) {
    return row.file.uuid;
  } else {
    return row.id;
  }
}

// The rows that have one owner, in the order in which they are written: what makes room comes
// first.
template <class Fn>
void for_each_list(const Group& from, Group& to, Fn fn) {
  fn(from.links_removed, to.links_removed);
  fn(from.files_deleted, to.files_deleted);
  fn(from.folders_deleted, to.folders_deleted);
  fn(from.files_trashed, to.files_trashed);
  fn(from.folders_trashed, to.folders_trashed);
  fn(from.file_names_ended, to.file_names_ended);
  fn(from.folder_names_ended, to.folder_names_ended);
  fn(from.object_writes, to.object_writes);
  fn(from.folders, to.folders);
  fn(from.restores, to.restores);
  fn(from.files, to.files);
  fn(from.links_added, to.links_added);
  fn(from.xattrs_set, to.xattrs_set);
  fn(from.xattrs_removed, to.xattrs_removed);
  fn(from.chunk_drops, to.chunk_drops);
  fn(from.chunk_puts, to.chunk_puts);
  fn(from.stagings, to.stagings);
}

// The files and folders that rows of the group belong to, each once.
std::vector<Uuid> owners_of(const Group& group);

// The group as if nothing of this file or folder were in it. Whether there was something.
bool drop_owner(Group& group, Uuid owner);

// What the group has of a file becomes another one's, which has no name yet but that of its row.
void give_to(Group& group, Uuid owner, Uuid other);

}  // namespace tusk::store
