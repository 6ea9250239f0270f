#include "virtual/item.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>
#include <map>

#include "tuskfs/base/times.h"
#include "virtual/names.h"

namespace tusk::virt {
namespace {

using store::FileRow;
using store::Meta;
using store::PastItem;
using store::PastItems;

constexpr mode_t kWriting = 0222;

vfs::Attr attr_of(const Meta& meta) {
  return {.mode = meta.mode & ~kWriting,
          .nlink = 1,  // of a folder: "nobody counts the subfolders"
          .uid = meta.uid,
          .gid = meta.gid,
          .rdev = meta.rdev,
          .size = 4096,
          .atime = meta.atime,
          .mtime = meta.mtime,
          .ctime = meta.ctime,
          .valid = vfs::Valid::briefly,
          .name_valid = vfs::Valid::briefly};
}

std::uint64_t stored_bytes(const FileRow& row) {
  std::uint64_t stored = row.size;
  for (const store::ChunkRange& hole : row.holes) {
    const auto bytes = static_cast<std::uint64_t>(hole.last - hole.first) * store::kChunkBytes;
    stored -= std::min(stored, bytes);
  }
  return stored;
}

Item file_item(std::string name, const FileRow& row) {
  Item item{.name = std::move(name), .what = File{row}, .attr = attr_of(row.meta), .identity = {}};
  // Permissions of a symbolic link mean nothing, and look odd when they are not all there.
  if (S_ISLNK(row.meta.mode)) item.attr.mode = row.meta.mode;
  item.attr.size = row.size;
  item.attr.blocks = S_ISREG(row.meta.mode) ? (stored_bytes(row) + 511) / 512 : 0;
  item.owner = row.id.uuid;
  item.has_xattrs = row.meta.has_xattrs;
  item.damaged = row.damaged;
  return item;
}

Item with_owner(Item item, const PastItem& from) {
  item.owner = from.row.id.uuid;
  item.has_xattrs = from.row.meta.has_xattrs;
  item.damaged = from.row.damaged;
  return item;
}

Listing sorted(Listing items) {
  std::ranges::sort(items, {}, &Item::name);
  return items;
}

// A hard link's names are one inode: told by the file, the moment and the version seen then.
std::string identity_of(const FileRow& row, WallTime at) {
  std::string text(row.id.uuid.bytes.begin(), row.id.uuid.bytes.end());
  for (const std::int64_t number : {at.ns, row.version}) {
    char bytes[sizeof number];
    std::memcpy(bytes, &number, sizeof number);
    text.append(bytes, sizeof bytes);
  }
  return text;
}

// Folders that had the same name, one after the other, are shown as one. It must show nobody what
// one of them kept from him.
Item history_folder(const std::string& name, const std::vector<const PastItem*>& folders,
                    History history) {
  const PastItem& last =
      **std::ranges::max_element(folders, {}, [](const PastItem* folder) { return folder->until; });
  Meta meta = last.row.meta;
  bool differ = false;
  for (const PastItem* each : folders) {
    const Meta& other = each->row.meta;
    meta.mode &= other.mode;
    differ |=
        other.uid != meta.uid || other.gid != meta.gid || (folders.size() > 1 && other.has_xattrs);
  }
  meta.mode = S_IFDIR | (meta.mode & 07777);
  if (differ) {
    meta.uid = meta.gid = 0;
    meta.mode = S_IFDIR | 0500;
  }
  Item item = folder_item(name, std::move(history), meta);
  return folders.size() > 1 ? item : with_owner(std::move(item), last);
}

// The folder of a file's versions.
Item versions_folder(const std::string& name, const PastItem& last, History history) {
  Meta meta = last.row.meta;
  meta.mode = S_IFDIR | 0555;
  return folder_item(name, std::move(history), meta);
}

}  // namespace

const Item* find_item(const Listing& listing, std::string_view name) {
  const auto at = std::ranges::lower_bound(
      listing, name, {}, [](const Item& item) { return std::string_view(item.name); });
  return at != listing.end() && at->name == name ? &*at : nullptr;
}

Item folder_item(std::string name, What what, const Meta& meta) {
  return {.name = std::move(name), .what = std::move(what), .attr = attr_of(meta), .identity = {}};
}

Listing items_of_moment(const PastItems& rows, WallTime at) {
  Listing items;
  for (const PastItem& each : rows) {
    const std::string& name = each.row.name;
    if (!is_name(name)) continue;
    if (each.is_folder) {
      const Moment what{{each.row.id.uuid}, at};
      items.push_back(with_owner(folder_item(name, what, each.row.meta), each));
    } else {
      items.push_back(file_item(name, each.row));
      items.back().identity = identity_of(each.row, at);
    }
  }
  return sorted(std::move(items));
}

Item present_folder(const store::FolderRow& row, const Moment& moment) {
  Item item = folder_item(row.name, moment, row.meta);
  item.attr.mode = row.meta.mode;
  item.attr.nlink = row.meta.nlink;
  item.owner = row.id.uuid;
  item.has_xattrs = row.meta.has_xattrs;
  return item;
}

Listing items_of_present(const PastItems& rows, WallTime at) {
  std::map<Uuid, const Meta*> metas;
  for (const PastItem& each : rows) metas[each.row.id.uuid] = &each.row.meta;
  Listing items = items_of_moment(rows, at);
  for (Item& item : items) {
    item.attr.mode = metas[item.owner]->mode;
    item.attr.nlink = metas[item.owner]->nlink;
  }
  return items;
}

Listing items_of_history(const PastItems& rows) {
  std::map<std::string, std::vector<const PastItem*>> by_name;
  for (const PastItem& each : rows) {
    if (is_name(each.row.name)) by_name[each.row.name].push_back(&each);
  }
  Listing items;
  for (const auto& [name, all] : by_name) {
    History history;
    std::vector<const PastItem*> folders;
    for (const PastItem* each : all) {
      auto& bounds = each->is_folder ? history.folders : history.files;
      bounds.push_back({each->row.id.uuid, each->until});
      if (each->is_folder) folders.push_back(each);
    }
    items.push_back(folders.empty() ? versions_folder(name, *all.back(), std::move(history))
                                    : history_folder(name, folders, std::move(history)));
  }
  return items;
}

Listing items_of_versions(const PastItems& rows) {
  Listing items;
  Names names;
  for (const PastItem& each : rows) {
    const std::string name =
        fmt::format("{:04}@{}", each.row.version, time_text(each.row.content_at));
    items.push_back(file_item(names.take(name, ""), each.row));
  }
  return sorted(std::move(items));
}

namespace {

Item trash_item(std::string name, const PastItem& from) {
  const TrashFolder what{{from.row.id.uuid}};
  Item item = from.is_folder ? with_owner(folder_item(std::move(name), what, from.row.meta), from)
                             : file_item(std::move(name), from.row);
  // Moved away it is another inode, while the kernel thinks that it has moved.
  item.attr.name_valid = vfs::Valid::never;
  return item;
}

}  // namespace

Listing items_of_trash(const PastItems& rows) {
  Listing items;
  Names names;
  for (const PastItem& each : rows) {
    if (!is_name(each.row.name)) continue;
    items.push_back(trash_item(names.take(each.row.name, "@" + time_text(each.until)), each));
    items.back().deletion = Deletion{each.until, each.deleted_by.value_or(0)};
  }
  return sorted(std::move(items));
}

Listing items_of_trash_folder(const PastItems& rows) {
  Listing items;
  Names names;
  for (const PastItem& each : rows) {
    if (is_name(each.row.name)) items.push_back(trash_item(names.take(each.row.name, ""), each));
  }
  return sorted(std::move(items));
}

Listing items_of_snapshots(const std::vector<store::Snapshot>& rows, const store::FolderRow& root) {
  Listing items;
  Meta meta = root.meta;
  meta.mode = S_IFDIR | 0555;
  for (const store::Snapshot& each : rows) {
    if (!is_name(each.name)) continue;
    meta.atime = meta.mtime = meta.ctime = each.taken_at;
    items.push_back(folder_item(each.name, Moment{root.id, each.taken_at}, meta));
  }
  return sorted(std::move(items));
}

}  // namespace tusk::virt
