// What MemStore answers to questions.
#include <algorithm>
#include <set>

#include "support/mem_store.h"

namespace tusk::testing {

using namespace store;

namespace {

Error not_connected() { return {ENOTCONN, "no connection", ""}; }

}  // namespace

void MemStore::answer(std::move_only_function<void(bool)> load) {
  if (!automatic) return loads_.push_back(std::move(load));
  executor_.post([load = std::move(load)]() mutable { load(true); });
}

void MemStore::step_load(std::size_t i, bool connected) {
  auto load = std::move(loads_[i]);
  loads_.erase(loads_.begin() + static_cast<std::ptrdiff_t>(i));
  load(connected);
}

void MemStore::load_folder(const FolderQuery& query, Callback<Result<FolderPage>> callback) {
  answer([this, query, callback = std::move(callback)](bool connected) mutable {
    if (!connected) return callback(std::unexpected(not_connected()));
    struct Entry {
      const FolderRow* folder = nullptr;
      const FileRow* file = nullptr;
      bool link = false;
    };
    std::map<std::string, Entry> entries;
    for (const auto& [id, row] : state_.folders) {
      if (row.parent == query.folder && id != row.parent && !is_trashed(id.uuid))
        entries[row.name].folder = &row;
    }
    for (const auto& [id, row] : state_.files) {
      if (row.folder == query.folder && !is_hidden(id)) entries[row.name].file = &row;
    }
    for (const auto& [place, id] : state_.links) {
      const auto file = state_.files.find(id);
      if (place.first == query.folder && file != state_.files.end()) {
        entries[place.second] = {nullptr, &file->second, true};
      }
    }
    FolderPage page;
    int taken = 0;
    for (auto it = entries.upper_bound(query.after); it != entries.end(); ++it) {
      if (taken++ == query.limit) break;
      const auto& [name, entry] = *it;
      page.next_after = name;
      if (entry.folder) page.folders.push_back(folder_row(*entry.folder));
      if (entry.link) page.links.push_back({entry.file->id, query.folder, name});
      const bool have = entry.file && std::ranges::find(page.files, entry.file->id, &FileRow::id) !=
                                          page.files.end();
      if (entry.file && !have) page.files.push_back(*entry.file);
    }
    if (taken <= query.limit) page.next_after.clear();
    callback(std::move(page));
  });
}

void MemStore::load_inline(std::vector<FileId> ids,
                           Callback<Result<std::vector<InlineContent>>> callback) {
  answer([this, ids = std::move(ids), callback = std::move(callback)](bool connected) mutable {
    if (!connected) return callback(std::unexpected(not_connected()));
    std::vector<InlineContent> out;
    for (const FileId id : ids) {
      const auto file = state_.files.find(id);
      if (file == state_.files.end()) continue;
      const auto data = state_.data.find(id);
      // The caller owns what it is given, as with bytes from a server.
      SharedBytes copy =
          data == state_.data.end() ? nullptr : std::make_shared<Buffer>(*data->second);
      out.push_back({id, file->second.version, std::move(copy)});
    }
    callback(std::move(out));
  });
}

void MemStore::load_chunks(const ChunkQuery& query, Callback<Result<std::vector<Chunk>>> callback) {
  answer([this, query, callback = std::move(callback)](bool connected) mutable {
    if (!connected) return callback(std::unexpected(not_connected()));
    std::vector<Chunk> out;
    for (std::int64_t n = query.range.first; n < query.range.last; n++) {
      const SharedBytes data = stored_chunk(query, n);
      if (data) out.push_back({n, std::make_shared<Buffer>(*data)});
    }
    callback(std::move(out));
  });
}

void MemStore::load_xattrs(Uuid owner, Callback<Result<std::vector<XattrRow>>> callback) {
  answer([this, owner, callback = std::move(callback)](bool connected) mutable {
    if (!connected) return callback(std::unexpected(not_connected()));
    std::vector<XattrRow> out;
    for (const auto& [key, value] : state_.xattrs) {
      if (key.first == owner) out.push_back({owner, key.second, value});
    }
    callback(std::move(out));
  });
}

void MemStore::load_links(FileId id, Callback<Result<std::vector<LinkRow>>> callback) {
  answer([this, id, callback = std::move(callback)](bool connected) mutable {
    if (!connected) return callback(std::unexpected(not_connected()));
    std::vector<LinkRow> out;
    for (const auto& [place, file] : state_.links) {
      if (file == id) out.push_back({id, place.first, place.second});
    }
    callback(std::move(out));
  });
}

void MemStore::load_entries(std::vector<Uuid> ids, Callback<Result<EntryRows>> callback) {
  answer([this, ids = std::move(ids), callback = std::move(callback)](bool connected) mutable {
    if (!connected) return callback(std::unexpected(not_connected()));
    EntryRows rows;
    for (const Uuid& id : std::set(ids.begin(), ids.end())) {
      const auto folder = state_.folders.find({id});
      if (folder != state_.folders.end() && !is_trashed(id))
        rows.folders.push_back(folder_row(folder->second));
      const auto file = state_.files.find({id});
      if (file == state_.files.end() || is_hidden({id})) continue;
      rows.files.push_back(file->second);
      for (const auto& [place, linked] : state_.links)
        if (linked.uuid == id) rows.links.push_back({linked, place.first, place.second});
    }
    callback(std::move(rows));
  });
}

// Nobody looks into the trash of this one.
void MemStore::load_trashed(const TrashQuery&, Callback<Result<TrashedEntry>> callback) {
  answer([callback = std::move(callback)](bool connected) mutable {
    callback(connected ? fail(ENOENT, "it is not in the trash") : std::unexpected(not_connected()));
  });
}

void MemStore::load_ownership(FolderId, uid_t, Callback<Result<bool>> callback) {
  answer([callback = std::move(callback)](bool connected) mutable {
    if (!connected) return callback(std::unexpected(not_connected()));
    callback(true);
  });
}

// Whosever it is.
void MemStore::load_size(FolderId folder, std::optional<uid_t>, Callback<Result<Usage>> callback) {
  answer([this, folder, callback = std::move(callback)](bool connected) mutable {
    if (!connected) return callback(std::unexpected(not_connected()));
    std::set<FolderId> below{folder};
    for (std::size_t before = 0; before != below.size();) {
      before = below.size();
      for (const auto& [id, row] : state_.folders)
        if (below.contains(row.parent) && !is_trashed(id.uuid)) below.insert(id);
    }
    std::set<FileId> held;
    for (const auto& [id, row] : state_.files)
      if (below.contains(row.folder) && !is_hidden(id)) held.insert(id);
    for (const auto& [place, id] : state_.links)
      if (below.contains(place.first)) held.insert(id);
    Usage usage{static_cast<std::int64_t>(held.size()), static_cast<std::int64_t>(below.size()) - 1,
                0};
    for (const FileId id : held) usage.bytes += static_cast<std::int64_t>(state_.files.at(id).size);
    callback(usage);
  });
}

void MemStore::load_reference(Uuid, Callback<Result<std::string>> callback) {
  answer([callback = std::move(callback)](bool connected) mutable {
    if (!connected) return callback(std::unexpected(not_connected()));
    callback(std::string());
  });
}

}  // namespace tusk::testing
