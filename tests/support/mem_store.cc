#include "support/mem_store.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

namespace tusk::testing {

using namespace store;

namespace {

Error not_connected() { return {ENOTCONN, "no connection", ""}; }

}  // namespace

MemStore::MemStore(Executor& executor) : executor_(executor) {
  root_ = {Uuid::v7(1, 2, 3)};
  FolderRow root{root_, root_, "", {}};
  root.meta.mode = S_IFDIR | 0755;
  root.meta.nlink = 2;
  state_.folders[root_] = root;
  state_.usage.folders = 1;
  durable_ = state_;
}

Attached MemStore::attach() {
  for (const FileId id : std::set(state_.orphans)) delete_file(state_, id);
  for (const auto& [id, version] : std::exchange(state_.staged, {})) {
    const auto file = state_.files.find(id);
    const Version published = file == state_.files.end() ? -1 : file->second.version;
    std::erase_if(state_.chunks, [&](const auto& entry) {
      return std::get<0>(entry.first) == id && std::get<2>(entry.first) > published;
    });
  }
  std::erase_if(objects_, [](const auto& entry) { return !entry.second.finished; });
  durable_ = state_;
  undurable_.clear();
  return {{}, folder_row(state_.folders.at(root_)), state_.usage, GroupNo{state_.last_group}, true};
}

FolderRow MemStore::folder_row(const FolderRow& row) const {
  constexpr std::string_view kPrefix = "user.tusk.policy.";
  FolderRow out = row;
  if (row.id == root_) out.policy = state_.root_policy;
  for (const auto& [key, value] : state_.xattrs) {
    if (key.first != row.id.uuid || !key.second.starts_with(kPrefix)) continue;
    out.policy[key.second.substr(kPrefix.size())] =
        std::stoll(std::string(value.begin(), value.end()));
  }
  return out;
}

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

SharedBytes MemStore::newest(const State& state, FileId id, std::int64_t chunk, Version version) {
  auto it = state.chunks.upper_bound({id, chunk, version});
  if (it == state.chunks.begin()) return nullptr;
  --it;
  const auto& [file, number, at] = it->first;
  return file == id && number == chunk ? it->second : nullptr;
}

// As store/tiers.cc has it.
SharedBytes MemStore::stored_chunk(const ChunkQuery& query, std::int64_t chunk) const {
  std::optional<Uuid> bottom = query.object;
  for (const Uuid& id : query.writing) {
    const auto object = objects_.find(id);
    if (object == objects_.end()) return nullptr;
    if (object->second.finished) {
      bottom = id;
      break;
    }
    const auto data = object->second.chunks.find(chunk);
    if (data != object->second.chunks.end()) return data->second;
  }
  if (!bottom) return newest(state_, query.file, chunk, query.version);
  const auto object = objects_.find(*bottom);
  if (object == objects_.end() || !object->second.finished) return nullptr;
  const auto data = object->second.chunks.find(chunk);
  return data == object->second.chunks.end() ? nullptr : data->second;
}

void MemStore::finish(Object& object, const ObjectWrite& write) {
  const std::int64_t end =
      static_cast<std::int64_t>((write.finish->size + kChunkBytes - 1) / kChunkBytes);
  const std::int64_t base_end =
      static_cast<std::int64_t>((write.base.size + kChunkBytes - 1) / kChunkBytes);
  const auto in = [](const std::vector<ChunkRange>& ranges, std::int64_t n) {
    return std::ranges::any_of(ranges,
                               [n](const ChunkRange& r) { return n >= r.first && n < r.last; });
  };
  std::erase_if(object.chunks, [end](const auto& entry) { return entry.first >= end; });
  for (std::int64_t n = 0; n < end; n++) {
    if (in(write.finish->holes, n)) {
      object.chunks.erase(n);
      continue;
    }
    if (object.chunks.contains(n)) continue;
    SharedBytes data;
    if (n < base_end && !in(write.base.holes, n))
      data = stored_chunk({write.file, {}, write.base.version, {}, write.base.object}, n);
    if (!data) broken_ = "an object lacks chunk " + std::to_string(n);
    object.chunks[n] = data;
  }
  object.finished = true;
}

void MemStore::write_objects(const Group& group) {
  for (const Uuid& id : group.objects_abandoned) objects_.erase(id);
  for (const ObjectWrite& write : group.object_writes) {
    Object& object = objects_[write.object];
    if (object.finished) continue;
    for (const ObjectWrite::Put& put : write.puts) object.chunks[put.chunk] = put.data;
    if (write.finish) finish(object, write);
  }
}

void MemStore::fetch(State& state, const ObjectFetch& fetch) const {
  for (const ChunkRange& range : fetch.ranges) {
    for (std::int64_t n = range.first; n < range.last; n++) {
      const SharedBytes data = stored_chunk({fetch.file, {}, 0, {}, fetch.object}, n);
      if (!data) broken_ = "an object that is fetched lacks chunk " + std::to_string(n);
      if (data) state.chunks[{fetch.file, n, fetch.version}] = data;
    }
  }
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

void MemStore::commit(std::shared_ptr<const Group> group, Callback<CommitResult> callback) {
  commit_ = std::make_unique<PendingCommit>(PendingCommit{std::move(group), std::move(callback)});
  if (automatic) executor_.post([this] { step_commit(Verdict::commit); });
}

void MemStore::step_commit(Verdict verdict) {
  const auto pending = std::exchange(commit_, nullptr);
  const bool applies = verdict == Verdict::commit || verdict == Verdict::commit_but_unknown;
  const auto number = static_cast<std::int64_t>(pending->group->number);
  if (state_.last_group < number) write_objects(*pending->group);
  if (applies && state_.last_group < number) {
    apply(state_, *pending->group);
    undurable_.push_back(pending->group);
  }
  if (applies && pending->group->durable) {
    durable_ = state_;
    undurable_.clear();
  }
  switch (verdict) {
    case Verdict::commit: {
      CommitResult result;
      if (!pending->group->clones.empty()) result.usage = state_.usage;
      return pending->callback(result);
    }
    case Verdict::commit_but_unknown:
    case Verdict::lose_and_unknown:
      return pending->callback({CommitState::unknown, {EIO, "connection lost in commit", ""}});
    case Verdict::retry:
      return pending->callback({CommitState::retry, {EIO, "connection lost", ""}});
    case Verdict::disk_full:
      return pending->callback(
          {CommitState::retry, {ENOSPC, "no space left on the server's disk", ""}});
  }
}

void MemStore::forget_pending() {
  loads_.clear();
  commit_.reset();
}

void MemStore::lose_undurable(std::size_t keep) {
  state_ = durable_;
  for (std::size_t i = 0; i < keep; i++) apply(state_, *undurable_[i]);
  durable_ = state_;
  undurable_.clear();
}

void MemStore::delete_file(State& state, FileId id) {
  state.files.erase(id);
  state.data.erase(id);
  state.orphans.erase(id);
  state.trashed.erase(id.uuid);
  std::erase_if(state.versions, [id](const auto& e) { return e.first.first == id; });
  std::erase_if(state.links, [id](const auto& e) { return e.second == id; });
  std::erase_if(state.xattrs, [id](const auto& e) { return e.first.first == id.uuid; });
  std::erase_if(state.chunks, [id](const auto& e) { return std::get<0>(e.first) == id; });
  std::erase_if(state.staged, [id](const auto& e) { return e.first == id; });
}

void MemStore::drop_chunks(State& state, const ChunkDrop& drop) {
  // What a past version may need stays.
  Version from = drop.from;
  for (const auto& [key, version] : state.versions) {
    if (key.first == drop.file) from = std::max(from, key.second + 1);
  }
  std::erase_if(state.chunks, [&](const auto& entry) {
    const auto& [file, chunk, version] = entry.first;
    return file == drop.file && chunk >= drop.range.first && chunk < drop.range.last &&
           version >= from && version < drop.below;
  });
}

// New ids, as the real store's random ones: the same for a group that is applied again.
Uuid clone_id(const Uuid& target, const Uuid& of) {
  const std::uint64_t a = target.low62() * 0x9e3779b97f4a7c15u, b = of.low62();
  return Uuid::v7(1, a ^ b, (a + b) * 0xbf58476d1ce4e5b9u);
}

FileId MemStore::clone_file(State& state, const FileRow& from, FolderId to, const std::string& name,
                            WallTime at) {
  FileRow row = from;
  row.id = {clone_id(to.uuid, from.id.uuid)};
  row.folder = to;
  row.name = name;
  row.version = 1;
  row.content_at = at;
  row.meta.nlink = 1;
  if (const auto data = state.data.find(from.id); data != state.data.end())
    state.data[row.id] = SharedBytes(data->second);
  for (std::int64_t n = 0;
       n * static_cast<std::int64_t>(kChunkBytes) < static_cast<std::int64_t>(row.size); n++) {
    const SharedBytes data = newest(state, from.id, n, from.version);
    if (data) state.chunks[{row.id, n, 1}] = data;
  }
  state.files[row.id] = row;
  state.usage.files++;
  state.usage.bytes += static_cast<std::int64_t>(row.size);
  return row.id;
}

void MemStore::clone_folder(State& state, const Clone& clone, FolderId from, FolderId to,
                            std::map<FileId, FileId>& files) {
  const auto enter = [&](const FileRow& row, const std::string& name) {
    const auto known = files.find(row.id);
    if (known == files.end()) {
      files[row.id] = clone_file(state, FileRow(row), to, name, clone.at);
      return;
    }
    state.links[{to, name}] = known->second;
    state.files.at(known->second).meta.nlink++;
  };
  std::vector<FileRow> inside;
  for (const auto& [id, row] : state.files) {
    const bool hidden = state.orphans.contains(id) || state.trashed.contains(id.uuid);
    if (row.folder == from && !hidden) inside.push_back(row);
  }
  for (const FileRow& row : inside) enter(row, row.name);
  std::vector<std::pair<std::string, FileId>> linked;
  for (const auto& [place, id] : state.links) {
    if (place.first == from) linked.emplace_back(place.second, id);
  }
  for (const auto& [name, id] : linked) enter(FileRow(state.files.at(id)), name);
  std::vector<FolderRow> below;
  for (const auto& [id, row] : state.folders) {
    if (row.parent == from && id != from && !state.trashed.contains(id.uuid)) below.push_back(row);
  }
  for (FolderRow row : below) {
    const FolderId old = row.id;
    row.id = {clone_id(to.uuid, old.uuid)};
    row.parent = to;
    state.folders[row.id] = row;
    state.usage.folders++;
    clone_folder(state, clone, old, row.id, files);
  }
}

void MemStore::clone(State& state, const Clone& clone) {
  if (clone.is_folder) {
    std::map<FileId, FileId> files;
    return clone_folder(state, clone, {clone.source}, {clone.target}, files);
  }
  const FileId source{clone.source}, target{clone.target};
  const FileRow& from = state.files.at(source);
  FileRow& to = state.files.at(target);
  to.size = from.size;
  to.form = from.form;
  to.holes = from.holes;
  to.checksum = from.checksum;
  to.version = clone.version;
  const auto data = state.data.find(source);
  if (data == state.data.end()) {
    state.data.erase(target);
  } else {
    state.data[target] = SharedBytes(data->second);
  }
  for (std::int64_t n = 0;
       n * static_cast<std::int64_t>(kChunkBytes) < static_cast<std::int64_t>(to.size); n++) {
    const SharedBytes chunk = newest(state, source, n, from.version);
    if (chunk) state.chunks[{target, n, clone.version}] = chunk;
  }
}

void MemStore::apply(State& state, const Group& group) const {
  state.usage = group.usage;
  for (const Clone& each : group.clones) clone(state, each);
  for (const auto& share : group.chunk_shares) {
    for (std::int64_t i = 0; i < share.count; i++) {
      const SharedBytes data =
          newest(state, share.source, share.source_first + i, share.source_version);
      if (data) state.chunks[{share.target, share.target_first + i, share.target_version}] = data;
    }
  }
  for (const auto& row : group.links_removed) {
    const auto it = state.links.find({row.folder, row.name});
    if (it != state.links.end() && it->second == row.file) state.links.erase(it);
  }
  for (const FileId id : group.files_deleted) delete_file(state, id);
  for (const FolderId id : group.folders_deleted) {
    state.folders.erase(id);
    std::erase_if(state.xattrs, [id](const auto& e) { return e.first.first == id.uuid; });
  }
  for (const auto& row : group.files_trashed) state.trashed.insert(row.id);
  for (const auto& row : group.folders_trashed) state.trashed.insert(row.id);
  for (const FileId id : group.files_vacated) {
    if (const auto it = state.files.find(id); it != state.files.end())
      it->second.name = id.uuid.text();
  }
  for (const FolderId id : group.folders_vacated) {
    if (const auto it = state.folders.find(id); it != state.folders.end())
      it->second.name = id.uuid.text();
  }
  for (const auto& row : group.folders) state.folders[row.id] = row;
  for (const auto& change : group.files) {
    const bool known = state.files.contains(change.row.id);
    if (known && change.previous_until) {
      const FileRow& row = state.files.at(change.row.id);
      const auto data = state.data.find(row.id);
      state.versions[{row.id, row.version}] = {row,
                                               data == state.data.end() ? nullptr : data->second};
    }
    if (!known && !change.has_content) continue;
    state.files[change.row.id] = change.row;
    if (change.orphan) state.orphans.insert(change.row.id);
    if (change.trashed) state.trashed.insert(change.row.id.uuid);
    if (change.row.form == Form::chunked) {
      state.data.erase(change.row.id);
    } else if (change.has_content) {
      state.data[change.row.id] = change.data ? change.data : std::make_shared<Buffer>();
    }
  }
  for (const auto& row : group.links_added) state.links[{row.folder, row.name}] = row.file;
  for (const auto& row : group.xattrs_set) state.xattrs[{row.owner, row.name}] = row.value;
  for (const auto& row : group.xattrs_removed) state.xattrs.erase({row.owner, row.name});
  for (const auto& drop : group.chunk_drops) drop_chunks(state, drop);
  for (const auto& each : group.object_fetches) fetch(state, each);
  for (const auto& put : group.chunk_puts)
    state.chunks[{put.file, put.chunk, put.version}] = put.data;
  for (const auto& staging : group.stagings) {
    if (staging.staged) {
      state.staged.insert({staging.file, staging.version});
    } else {
      state.staged.erase({staging.file, staging.version});
    }
  }
  if (group.policy) state.root_policy = *group.policy;
  state.last_group = static_cast<std::int64_t>(group.number);
}

std::optional<Buffer> MemStore::content(FileId id) const {
  const auto data = state_.data.find(id);
  return content(state_.files.at(id), data == state_.data.end() ? nullptr : data->second);
}

std::optional<Buffer> MemStore::content(const FileRow& row, const SharedBytes& inline_data) const {
  if (row.form == Form::inline_data) {
    if (!inline_data || inline_data->size() != row.size) return std::nullopt;
    return *inline_data;
  }
  Buffer out(row.size);
  std::fill(out.begin(), out.end(), std::uint8_t{0});
  for (std::uint64_t at = 0; at < row.size; at += kChunkBytes) {
    const auto chunk = static_cast<std::int64_t>(at / kChunkBytes);
    const bool hole = std::ranges::any_of(
        row.holes, [chunk](const ChunkRange& r) { return chunk >= r.first && chunk < r.last; });
    if (hole) continue;
    const SharedBytes data = stored_chunk({row.id, {}, row.version, {}, row.object}, chunk);
    if (!data) return std::nullopt;
    const auto size = std::min<std::uint64_t>(data->size(), row.size - at);
    std::copy_n(data->begin(), size, out.begin() + static_cast<std::ptrdiff_t>(at));
  }
  return out;
}

std::string MemStore::check() const {
  if (!broken_.empty()) return broken_;
  std::set<std::pair<FolderId, std::string>> names;
  const auto take = [&](FolderId folder, const std::string& name) {
    return state_.folders.contains(folder) && names.insert({folder, name}).second;
  };
  Usage counted;
  for (const auto& [id, row] : state_.folders) {
    if (is_trashed(id.uuid)) continue;
    counted.folders++;
    if (id != root_ && !take(row.parent, row.name))
      return "folder " + row.name + " has no place of its own";
  }
  std::map<FileId, std::uint32_t> link_counts;
  for (const auto& [place, id] : state_.links) {
    if (!state_.files.contains(id)) return "further name " + place.second + " has no file";
    if (!take(place.first, place.second))
      return "further name " + place.second + " has no place of its own";
    link_counts[id]++;
  }
  for (const auto& [id, row] : state_.files) {
    if (!content(id)) {
      return "file " + row.name + (is_hidden(id) ? ", hidden," : "") + " has no whole content";
    }
    if (is_hidden(id)) continue;
    counted.files++;
    counted.bytes += static_cast<std::int64_t>(row.size);
    if (!take(row.folder, row.name)) return "file " + row.name + " has no place of its own";
    if (row.meta.nlink != 1 + link_counts[id])
      return "file " + row.name + " has a wrong link count";
  }
  for (const auto& [key, version] : state_.versions) {
    if (!content(version.first, version.second))
      return "version " + std::to_string(key.second) + " of file " + version.first.name +
             " has no whole content";
  }
  for (const auto& [key, data] : state_.chunks) {
    const auto& [id, chunk, version] = key;
    const auto file = state_.files.find(id);
    const bool published = file != state_.files.end() && version <= file->second.version;
    if (published || state_.staged.contains({id, version})) continue;
    return "chunk " + std::to_string(chunk) + " of version " + std::to_string(version) +
           " belongs to nothing";
  }
  if (counted != state_.usage) return "the usage counters are wrong";
  return "";
}

}  // namespace tusk::testing
