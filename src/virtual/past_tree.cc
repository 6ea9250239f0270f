#include "virtual/past_tree.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "tuskfs/base/utf8.h"
#include "virtual/names.h"

namespace tusk::virt {
namespace {

using vfs::Outcome;
using vfs::Reply;

// As long as the kernel believes an entry: a walk that asks name by name asks the database once.
constexpr auto kFresh = std::chrono::seconds(1);
// A file that is replaced faster than that is ESTALE.
constexpr int kTriesToOpen = 20;
// Offsets of a listing: 1 after ".", 2 after "..", then 3 + the item's position.
constexpr std::uint64_t kDots = 2;

int wrong_name(std::string_view name) {
  if (name.size() > kNameMax) return ENAMETOOLONG;
  return is_utf8(name) ? 0 : EILSEQ;
}

Outcome<const Item*> found_in(const Listing& listing, std::string_view name) {
  const Item* item = find_item(listing, name);
  if (!item) return vfs::error(ENOENT);
  return item;
}

// Of something in the trash.
Uuid id_of(const Item& item) {
  if (const auto* file = std::get_if<File>(&item.what)) return file->row.id.uuid;
  return std::get<TrashFolder>(item.what).id.uuid;
}

bool is_regular(const Node& node) {
  const auto* file = std::get_if<File>(&node.item.what);
  return file != nullptr && S_ISREG(file->row.meta.mode);
}

}  // namespace

Item dot_tusk(const store::FolderRow& root) {
  store::Meta meta = root.meta;
  meta.mode = S_IFDIR | 0555;
  return folder_item(".tusk", Top{}, meta);
}

PastTree::PastTree(Executor& executor, store::PastStore& store, const Setup& setup, Item top,
                   Ino ino)
    : executor_(executor),
      store_(store),
      setup_(setup),
      top_(ino),
      asker_(executor, setup),
      places_(executor, store, setup, asker_),
      table_(std::move(top), ino) {}

vfs::Entry PastTree::top() {
  const Node& node = *table_.find(top_);
  vfs::Attr attr = node.item.attr;
  attr.ino = node.ino;
  return {attr};
}

SharedListing PastTree::fresh_listing(const Node& node) const {
  if (node.listed_at <= distrusted_at_) return nullptr;
  return executor_.now() - node.listed_at <= kFresh ? node.listing : nullptr;
}

void PastTree::keep_listing(Ino ino, SharedListing listing) {
  Node* node = table_.find(ino);
  if (!node) return;
  node->listing = std::move(listing);
  node->listed_at = executor_.now();
  executor_.after(kFresh, [this, ino, at = node->listed_at] { drop_listing(ino, at); });
}

void PastTree::drop_listing(Ino ino, MonotonicTime listed_at) {
  Node* node = table_.find(ino);
  if (node && node->listed_at <= listed_at) node->listing = nullptr;
}

vfs::Entry PastTree::enter(Ino parent, const Item& item) {
  const Node& node = table_.add(parent, item);
  vfs::Attr attr = node.item.attr;
  attr.ino = node.ino;
  return {attr};
}

void PastTree::finish_lookup(Ino parent, const Listing& listing, std::string_view name,
                             Reply<vfs::Entry>& reply) {
  const Item* item = find_item(listing, name);
  if (!item) return reply(vfs::error(ENOENT));
  if (item->damaged) return reply(vfs::error(EIO));
  reply(enter(parent, *item));
}

void PastTree::lookup(const vfs::Call& call, Ino parent, std::string_view name,
                      Reply<vfs::Entry> reply) {
  const Node* node = table_.find(parent);
  if (!node) return reply(vfs::error(ESTALE));
  if (const int code = wrong_name(name)) return reply(vfs::error(code));
  if (const SharedListing listing = fresh_listing(*node))
    return finish_lookup(parent, *listing, name, reply);
  auto held = waiting_.hold(call, std::move(reply));
  places_.list(node->item.what, std::string(name),
               [this, call, parent, wanted = std::string(name),
                held = std::move(held)](Outcome<Listing> listing) mutable {
                 if (!waiting_.waits(call)) return;
                 if (!listing) return held(std::unexpected(listing.error()));
                 finish_lookup(parent, *listing, wanted, held);
               });
}

// Nobody looks it up, so nothing else tells that it has changed.
void PastTree::getattr_live_top(const vfs::Call& call, const Moment& moment,
                                Reply<vfs::Attr> reply) {
  using Root = std::optional<store::FolderRow>;
  asker_.ask<Root>(
      [this, at = moment.at](auto callback) { store_.past_root(at, std::move(callback)); },
      [this, moment, held = waiting_.hold(call, std::move(reply))](Outcome<Root> root) mutable {
        if (!root) return held(std::unexpected(root.error()));
        if (!*root) return held(vfs::error(ESTALE));
        held(table_.set_top(present_folder(**root, moment)));
      });
}

void PastTree::getattr(const vfs::Call& call, Ino ino, Reply<vfs::Attr> reply) {
  const Node* node = table_.find(ino);
  if (!node) return reply(vfs::error(ESTALE));
  if (setup_.is_live && ino == top_)
    return getattr_live_top(call, std::get<Moment>(node->item.what), std::move(reply));
  vfs::Attr attr = node->item.attr;
  attr.ino = ino;
  reply(attr);
}

void PastTree::readlink(const vfs::Call& call, Ino ino, Reply<std::string_view> reply) {
  const Node* node = table_.find(ino);
  const auto* file = node ? std::get_if<File>(&node->item.what) : nullptr;
  if (!file || !S_ISLNK(file->row.meta.mode)) return reply(vfs::error(EINVAL));
  const auto reader = std::make_shared<Reader>(store_, asker_, file->row);
  reader->whole([held = waiting_.hold(call, std::move(reply))](Outcome<ByteSpan> target) mutable {
    if (!target) return held(std::unexpected(target.error()));
    held(std::string_view(reinterpret_cast<const char*>(target->data()), target->size()));
  });
}

bool PastTree::is_snapshots(Ino ino) {
  const Node* node = table_.find(ino);
  return node && std::holds_alternative<Snapshots>(node->item.what);
}

// Everything done up to now belongs to it, so that is committed first.
void PastTree::take_snapshot(const std::string& name, Reply<void> done) {
  setup_.sync([this, name, done = std::move(done)](Outcome<void> synced) mutable {
    if (!synced) return done(std::move(synced));
    const WallTime at = executor_.wall_now();
    setup_.snapshot_at(at);
    asker_.ask<void>(
        [this, name, at](auto callback) { store_.take_snapshot(name, at, std::move(callback)); },
        std::move(done));
  });
}

void PastTree::mkdir(const vfs::Call& call, Ino parent, std::string_view name, mode_t mode,
                     Reply<vfs::Entry> reply) {
  if (!is_snapshots(parent)) return ReadOnly::mkdir(call, parent, name, mode, std::move(reply));
  if (const int code = wrong_name(name)) return reply(vfs::error(code));
  if (!is_name(name)) return reply(vfs::error(EINVAL));
  auto held = waiting_.hold(call, std::move(reply));
  take_snapshot(std::string(name), [this, call, parent, wanted = std::string(name),
                                    held = std::move(held)](Outcome<void> taken) mutable {
    drop_listing(parent, executor_.now());
    if (!taken) return held(std::unexpected(taken.error()));
    Node* node = table_.find(parent);
    if (!node || !waiting_.waits(call)) return;
    places_.list(
        node->item.what, wanted,
        [this, call, parent, wanted, held = std::move(held)](Outcome<Listing> listing) mutable {
          if (!waiting_.waits(call)) return;
          if (!listing) return held(std::unexpected(listing.error()));
          finish_lookup(parent, *listing, wanted, held);
        });
  });
}

void PastTree::rmdir(const vfs::Call& call, Ino parent, std::string_view name, Reply<void> reply) {
  if (!is_snapshots(parent)) return purge(call, parent, name, std::move(reply));
  asker_.ask<void>(
      [this, wanted = std::string(name)](auto callback) {
        store_.remove_snapshot(wanted, std::move(callback));
      },
      [this, parent, held = waiting_.hold(call, std::move(reply))](Outcome<void> removed) mutable {
        drop_listing(parent, executor_.now());
        held(std::move(removed));
      });
}

bool PastTree::is_trash(Ino ino) {
  const Node* node = table_.find(ino);
  return node && (std::holds_alternative<Trash>(node->item.what) ||
                  std::holds_alternative<TrashFolder>(node->item.what));
}

void PastTree::find_trashed(Ino parent, std::string_view name, Reply<const Item*> done) {
  const Node* node = table_.find(parent);
  if (!node) return done(vfs::error(ESTALE));
  if (const SharedListing listing = fresh_listing(*node)) return done(found_in(*listing, name));
  places_.list(
      node->item.what, std::string(name),
      [name = std::string(name), done = std::move(done)](Outcome<Listing> listing) mutable {
        if (!listing) return done(std::unexpected(listing.error()));
        done(found_in(*listing, name));
      });
}

void PastTree::purge(const vfs::Call& call, Ino parent, std::string_view name, Reply<void> reply) {
  if (!is_trash(parent)) return reply(vfs::error(EROFS));
  find_trashed(parent, name,
               [this, parent,
                held = waiting_.hold(call, std::move(reply))](Outcome<const Item*> item) mutable {
                 if (!item) return held(std::unexpected(item.error()));
                 const Uuid id = id_of(**item);
                 if (setup_.is_open(id)) return held(vfs::error(EBUSY));
                 asker_.ask<void>(
                     [this, id](auto callback) { store_.purge_trashed(id, std::move(callback)); },
                     [this, parent, held = std::move(held)](Outcome<void> purged) mutable {
                       drop_listing(parent, executor_.now());
                       held(std::move(purged));
                     });
               });
}

void PastTree::unlink(const vfs::Call& call, Ino parent, std::string_view name, Reply<void> reply) {
  purge(call, parent, name, std::move(reply));
}

void PastTree::rename(const vfs::Call& call, Ino parent, std::string_view name, Ino new_parent,
                      std::string_view new_name, unsigned flags, Reply<void> reply) {
  if (is_trash(new_parent)) return reply(vfs::error(EPERM));
  if (!is_trash(parent) || is_in_dot_tusk(new_parent)) return reply(vfs::error(EROFS));
  if (flags & ~unsigned{RENAME_NOREPLACE}) return reply(vfs::error(EINVAL));
  find_trashed(parent, name,
               [this, call, parent, new_parent, new_name = std::string(new_name),
                held = waiting_.hold(call, std::move(reply))](Outcome<const Item*> item) mutable {
                 if (!item) return held(std::unexpected(item.error()));
                 setup_.restore(call, id_of(**item), new_parent, new_name,
                                [this, parent, held = std::move(held)](Outcome<void> done) mutable {
                                  drop_listing(parent, executor_.now());
                                  held(std::move(done));
                                });
               });
}

// What the kernel was told of may have been replaced a moment ago: then it is what is there now,
// past what the kernel knows of the inode. Of what has another file's name the kernel looks the
// name up once more by itself, at ESTALE.
void PastTree::open_live(const vfs::Call& call, Ino ino, const store::FileRow& row, int tries,
                         Reply<vfs::Opened> held) {
  const auto reader = std::make_shared<Reader>(store_, asker_, row);
  reader->read(0, 1,
               [this, call, ino, tries, reader,
                held = std::move(held)](Outcome<vfs::Content> first) mutable {
                 if (!waiting_.waits(call)) return;
                 if (!first && first.error().value == ESTALE && tries > 0)
                   return open_replaced(call, ino, tries - 1, std::move(held));
                 if (!first) return held(std::unexpected(first.error()));
                 const std::uint64_t handle = next_handle();
                 files_.emplace(handle, reader);
                 held(vfs::Opened{.handle = Handle{handle}, .direct = tries < kTriesToOpen});
               });
}

void PastTree::open_replaced(const vfs::Call& call, Ino ino, int tries, Reply<vfs::Opened> held) {
  distrusted_at_ = executor_.now();
  const Node* node = table_.find(ino);
  const Node* folder = node ? table_.find(node->parent) : nullptr;
  if (!folder) return held(vfs::error(ESTALE));
  places_.list(folder->item.what, node->item.name,
               [this, call, ino, tries, owner = node->item.owner, name = node->item.name,
                held = std::move(held)](Outcome<Listing> listing) mutable {
                 if (!listing) return held(std::unexpected(listing.error()));
                 const Item* item = find_item(*listing, name);
                 const auto* file = item ? std::get_if<File>(&item->what) : nullptr;
                 if (!file || item->owner != owner) return held(vfs::error(ESTALE));
                 open_live(call, ino, file->row, tries, std::move(held));
               });
}

void PastTree::open(const vfs::Call& call, Ino ino, int flags, Reply<vfs::Opened> reply) {
  const Node* node = table_.find(ino);
  if (!node || !is_regular(*node)) return reply(vfs::error(node ? EINVAL : ESTALE));
  if ((flags & O_ACCMODE) != O_RDONLY || flags & O_TRUNC) return reply(vfs::error(EROFS));
  if (setup_.is_live)
    return open_live(call, ino, std::get<File>(node->item.what).row, kTriesToOpen,
                     waiting_.hold(call, std::move(reply)));
  const std::uint64_t handle = next_handle();
  const store::FileRow& row = std::get<File>(node->item.what).row;
  files_.emplace(handle, std::make_shared<Reader>(store_, asker_, row));
  reply(vfs::Opened{Handle{handle}});
}

void PastTree::read(const vfs::Call& call, Ino, Handle handle, std::uint64_t offset,
                    std::size_t size, Reply<vfs::Content> reply) {
  const auto file = files_.find(static_cast<std::uint64_t>(handle));
  if (file == files_.end()) return reply(vfs::error(EBADF));
  file->second->read(offset, size, waiting_.hold(call, std::move(reply)));
}

void PastTree::release(Ino, Handle handle) { files_.erase(static_cast<std::uint64_t>(handle)); }

void PastTree::lseek(const vfs::Call&, Ino ino, std::uint64_t offset, int whence,
                     Reply<std::uint64_t> reply) {
  const Node* node = table_.find(ino);
  if (!node || !is_regular(*node)) return reply(vfs::error(EINVAL));
  if (whence != SEEK_DATA && whence != SEEK_HOLE) return reply(vfs::error(EINVAL));
  const store::FileRow& row = std::get<File>(node->item.what).row;
  if (offset >= row.size) return reply(vfs::error(ENXIO));
  for (const store::ChunkRange& hole : row.holes) {
    const auto first = static_cast<std::uint64_t>(hole.first) * store::kChunkBytes;
    const auto last = static_cast<std::uint64_t>(hole.last) * store::kChunkBytes;
    if (offset >= last) continue;
    if (whence == SEEK_HOLE) return reply(std::min(row.size, std::max(offset, first)));
    if (offset < first) break;
    if (last >= row.size) return reply(vfs::error(ENXIO));
    offset = last;
  }
  reply(whence == SEEK_HOLE ? row.size : offset);
}

void PastTree::opendir(const vfs::Call& call, Ino ino, Reply<vfs::Opened> reply) {
  const Node* node = table_.find(ino);
  if (!node) return reply(vfs::error(ESTALE));
  auto held = waiting_.hold(call, std::move(reply));
  places_.list(node->item.what, "",
               [this, call, ino, held = std::move(held)](Outcome<Listing> listing) mutable {
                 if (!waiting_.waits(call)) return;
                 if (!listing) return held(std::unexpected(listing.error()));
                 const auto shared = std::make_shared<const Listing>(std::move(*listing));
                 const Node* folder = table_.find(ino);
                 // Any time can be looked up, though none is listed.
                 if (folder && !std::holds_alternative<Times>(folder->item.what))
                   keep_listing(ino, shared);
                 const std::uint64_t handle = next_handle();
                 folders_.emplace(handle, shared);
                 held(vfs::Opened{.handle = Handle{handle}, .lasting = false});
               });
}

vfs::DirEntry PastTree::dir_entry(const Node& folder, const Item& item, std::uint64_t next,
                                  bool plus) {
  const bool counted = plus && !item.damaged;
  vfs::DirEntry entry{item.name, next, item.attr, counted};
  entry.attr.ino = counted ? table_.add(folder.ino, item).ino : table_.number_of(folder.ino, item);
  return entry;
}

void PastTree::readdir(const vfs::Call&, Ino ino, Handle handle, std::uint64_t offset,
                       std::size_t limit, bool plus, Reply<std::vector<vfs::DirEntry>> reply) {
  const Node* folder = table_.find(ino);
  const auto open = folders_.find(static_cast<std::uint64_t>(handle));
  if (!folder || open == folders_.end()) return reply(vfs::error(EBADF));
  const SharedListing listing = open->second;
  std::vector<vfs::DirEntry> out;
  const auto dot = [&](std::string_view name, std::uint64_t next, Ino number) {
    out.push_back({name, next, {.ino = number, .mode = S_IFDIR}, false});
  };
  if (offset == 0) dot(".", 1, ino);
  if (offset <= 1) dot("..", kDots, folder->parent);
  for (std::size_t at = offset > kDots ? offset - kDots : 0;
       at < listing->size() && out.size() < limit; at++) {
    out.push_back(dir_entry(*folder, (*listing)[at], at + 1 + kDots, plus));
  }
  reply(std::move(out));
}

void PastTree::releasedir(Ino, Handle handle) {
  folders_.erase(static_cast<std::uint64_t>(handle));
}

}  // namespace tusk::virt
