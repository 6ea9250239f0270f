#include "virtual/places.h"

#include <sys/stat.h>

#include <algorithm>

#include "tuskfs/base/log.h"
#include "tuskfs/base/times.h"

namespace tusk::virt {
namespace {

using store::PastItems;

template <class... Fns>
struct Cases : Fns... {
  using Fns::operator()...;
};

// An answer of rows made a listing of them.
template <class T, class Fn>
vfs::Reply<T> listed(vfs::Reply<Listing> done, Fn make) {
  return [done = std::move(done), make = std::move(make)](vfs::Outcome<T> rows) mutable {
    if (!rows) return done(std::unexpected(rows.error()));
    done(make(*rows));
  };
}

}  // namespace

void Places::list(const What& place, const std::string& name, vfs::Reply<Listing> done) {
  const Cases cases{
      [&](const Top&) { done(top()); },
      [&](const Times&) { find_time(name, std::move(done)); },
      [&](const Snapshots&) {
        asker_.ask<std::vector<store::Snapshot>>(
            [this, name](auto callback) { store_.snapshots(name, std::move(callback)); },
            listed<std::vector<store::Snapshot>>(std::move(done), [this](const auto& rows) {
              return items_of_snapshots(rows, setup_.root);
            }));
      },
      [&](const Trash&) { list_trash(std::move(done)); },
      [&](const TrashFolder& folder) {
        asker_.ask_committed<PastItems>(
            [this, id = folder.id](auto callback) { store_.trash_folder(id, std::move(callback)); },
            listed<PastItems>(std::move(done), items_of_trash_folder));
      },
      [&](const Moment& m) {
        asker_.ask_committed<PastItems>(
            [this, m, name](auto callback) {
              store_.moment_folder(m.id, m.at, name, std::move(callback));
            },
            listed<PastItems>(std::move(done), [this, at = m.at](const PastItems& rows) {
              return setup_.is_live ? items_of_present(rows, at) : items_of_moment(rows, at);
            }));
      },
      [&](const History& history) { list_history(history, name, std::move(done)); },
      [&](const File&) { done(vfs::error(ENOTDIR)); },
  };
  std::visit(cases, place);
}

Listing Places::top() const {
  const FolderId root = setup_.root.id;
  const WallTime now = executor_.wall_now();
  store::Meta meta = setup_.root.meta;
  meta.mode = S_IFDIR | 0555;
  meta.atime = meta.mtime = meta.ctime = now;
  Listing items;
  items.push_back(folder_item("at", Times{}, meta));
  const History all{{{root.uuid, WallTime{INT64_MAX}}}, {}};
  items.push_back(folder_item("history", all, meta));
  items.push_back(folder_item("snapshots", Snapshots{}, meta));
  // The one folder that takes new entries: who may change the root may take snapshots.
  items.back().attr.mode = S_IFDIR | 0755;
  // Each may take out what was his.
  items.push_back(folder_item("trash", Trash{}, meta));
  items.back().attr.mode = S_IFDIR | S_ISVTX | 0777;
  return items;
}

void Places::list_trash(vfs::Reply<Listing> done) {
  asker_.ask_committed<PastItems>([this](auto callback) { store_.trash_tops(std::move(callback)); },
                                  listed<PastItems>(std::move(done), items_of_trash));
}

// Versions stand beside the names when both a file and a folder had this one.
void Places::list_history(const History& history, const std::string& name,
                          vfs::Reply<Listing> done) {
  if (history.folders.empty()) return list_versions(history, std::move(done));
  vfs::Reply<Listing> then = std::move(done);
  if (!history.files.empty()) {
    then = [this, history, last = std::move(then)](vfs::Outcome<Listing> names) mutable {
      if (!names) return last(std::move(names));
      list_versions(history, [names = std::move(*names),
                              last = std::move(last)](vfs::Outcome<Listing> versions) mutable {
        if (!versions) return last(std::move(versions));
        std::ranges::move(*versions, std::back_inserter(names));
        std::ranges::stable_sort(names, {}, &Item::name);
        const auto twice = std::ranges::unique(names, {}, &Item::name);
        names.erase(twice.begin(), twice.end());
        last(std::move(names));
      });
    };
  }
  asker_.ask_committed<PastItems>(
      [this, folders = history.folders, name](auto callback) {
        store_.history_folders(folders, name, std::move(callback));
      },
      listed<PastItems>(std::move(then), items_of_history));
}

void Places::list_versions(const History& history, vfs::Reply<Listing> done) {
  asker_.ask_committed<PastItems>(
      [this, files = history.files](auto callback) {
        store_.history_versions(files, std::move(callback));
      },
      listed<PastItems>(std::move(done), items_of_versions));
}

// There are too many times to list them, but each can be looked up.
void Places::find_time(const std::string& name, vfs::Reply<Listing> done) {
  if (name.empty()) return done(Listing{});
  const auto at = parse_time(name);
  if (!at || *at > executor_.wall_now()) {
    log::debug(".tusk/at: '{}' is {}", name, at ? "in the future" : "no time");
    return done(Listing{});
  }
  asker_.ask_committed<std::optional<store::FolderRow>>(
      [this, at = *at](auto callback) { store_.past_root(at, std::move(callback)); },
      listed<std::optional<store::FolderRow>>(
          std::move(done), [name, at = *at](const std::optional<store::FolderRow>& root) {
            Listing items;
            if (root) items.push_back(folder_item(name, Moment{root->id, at}, root->meta));
            if (!root) log::debug(".tusk/at: the tree was not there yet at '{}'", name);
            return items;
          }));
}

}  // namespace tusk::virt
