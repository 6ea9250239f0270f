#include "support/mem_store.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

namespace tusk::testing {

using namespace store;

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
  delegation_ = Delegation::held;
  return {{},
          folder_row(state_.folders.at(root_)),
          state_.usage,
          GroupNo{state_.last_group},
          store::Presence::alone,
          true};
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

void MemStore::recall() {
  delegation_ = Delegation::recalled;
  delegate_->recalled();
}

void MemStore::give_back() {
  if (delegation_ != Delegation::recalled) broken_ = "the delegation was given away unasked";
  if (commit_) broken_ = "the delegation was given away before everything was committed";
  delegation_ = Delegation::lent;
}

void MemStore::take_back() {
  if (delegation_ != Delegation::lent) broken_ = "the delegation was asked for twice";
  delegation_ = Delegation::wanted;
}

void MemStore::tell_changed(std::vector<Uuid> ids) {
  executor_.post([this, ids = std::move(ids)]() mutable {
    if (delegate_) delegate_->changed(std::move(ids));
  });
}

void MemStore::return_delegation(std::vector<Uuid> ids) {
  delegation_ = Delegation::held;
  executor_.post([this, ids = std::move(ids), usage = state_.usage]() mutable {
    if (delegate_) delegate_->returned(std::move(ids), usage);
  });
}

void MemStore::commit(std::shared_ptr<const Group> group, Callback<CommitResult> callback) {
  if (delegation_ == Delegation::lent || delegation_ == Delegation::wanted)
    broken_ = "a group came while the delegation was away";
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

}  // namespace tusk::testing
