// Steps that several verbs share: names, entries, attributes.
#pragma once

#include <string_view>

#include "core/core.h"
#include "tuskfs/vfs/vfs.h"

namespace tusk::core {

// Names are UTF-8 of at most 255 bytes: EILSEQ, ENAMETOOLONG.
Attempt<void> check_name(std::string_view name);

vfs::Attr attr_of(const Node& node);
// Counts a lookup.
vfs::Entry entry_of(Node& node);

// The folder with its entries in memory, and a name in it.
Attempt<Node*> loaded_folder(Core& core, Ino ino);
Attempt<Node*> find_entry(const Node& folder, std::string_view name);

struct NewNode {
  mode_t mode = 0;  // with type, before umask and default ACL
  dev_t rdev = 0;
  std::size_t bytes = 0;  // that it will have at once
};
// Makes a node and enters it: owner, set-gid and ACL inheritance, times, counts. EEXIST,
// ENAMETOOLONG, EDQUOT …
Attempt<Node*> make_node(Core& core, const vfs::Call& call, Ino parent, std::string_view name,
                         NewNode);

// True if `folder` is `node` or lies below it.
bool is_below(const Core& core, const Node& node, const Node& folder);
void enter(Node& folder, std::string_view name, Node& node);
// The entry goes, removed by the user `by`; the node loses a name (a file with no name left is
// gone). Links are loaded.
void leave(Core& core, Node& folder, std::string_view name, Node& node, uid_t by);
// A folder loses or gains an entry: mtime and ctime are `now`.
void touch_folder(Core& core, Node& folder, WallTime now);
void touch_ctime(Core& core, Node& node, WallTime now);
// Remembers where the committed row is before `first` changes.
void keep_stored_name(Node& node, WallTime now);

// Set-id bits that a change by an unprivileged caller takes away.
mode_t without_setid(mode_t mode);
// False: there is none of this name. The attributes are loaded.
bool drop_xattr(Core& core, Node& node, std::string_view name);
// A write or truncation happened: times and set-id bits. (File capabilities the kernel removes
// itself.)
void note_modified(Core& core, const vfs::Call& call, Node& node);

}  // namespace tusk::core
