#include "lost_found.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>

#include "group_owners.h"
#include "tuskfs/base/log.h"

namespace tusk::store {
namespace {

constexpr std::size_t kMostNameBytes = 255;

class Uuids {
 public:
  void add(const Uuid& id) { ids_.add(id); }
  template <class Ids>
  explicit Uuids(const Ids& ids) {
    for (const Uuid& id : ids) add(id);
  }
  ByteSpan view() { return ids_.finish(); }

 private:
  BinaryArray ids_{ElementType::uuid};
};

WallTime wall_now() {
  return {std::chrono::duration_cast<std::chrono::nanoseconds>(
              std::chrono::system_clock::now().time_since_epoch())
              .count()};
}

bool has_name(const FileChange& change) { return !change.orphan && !change.trashed; }

// A name of ours is any bytes of UTF-8: it must neither break a line of the log nor look like two.
std::string shown(std::string_view name) {
  std::string text;
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {
      text += fmt::format("\\x{:02x}", byte);
    } else {
      text += c;
    }
  }
  return text;
}

// At most so many bytes, whole characters.
std::string_view cut_to(std::string_view name, std::size_t bytes) {
  if (name.size() <= bytes) return name;
  while (bytes > 0 && (static_cast<unsigned char>(name[bytes]) & 0xc0) == 0x80) bytes--;
  return name.substr(0, bytes);
}

// A host's name as part of a file's.
std::string plain(std::string_view host) {
  std::string text(host.substr(0, 64));
  std::ranges::replace_if(
      text, [](unsigned char c) { return c >= 0x80 || (!std::isalnum(c) && c != '.'); }, '_');
  return text;
}

bool brings_content(const Group& group, Uuid owner) {
  const auto owned = [owner](const auto& row) { return owner_of(row) == owner; };
  const auto change = std::ranges::find_if(group.files, owned);
  if (change != group.files.end() && !has_name(*change)) return false;
  if (change != group.files.end() && change->has_content) return true;
  return std::ranges::any_of(group.chunk_puts, owned);
}

// No loss: of a folder that several worked in, or of reading.
bool are_times_alone(const Group& group, Uuid owner) {
  const auto owned = [owner](const auto& row) { return owner_of(row) == owner; };
  const auto folder = std::ranges::find_if(group.folders, owned);
  if (folder != group.folders.end()) return folder->renamed_at.ns == 0;
  const auto file = std::ranges::find_if(group.files, owned);
  return file != group.files.end() && file->only_read;
}

// Chunks of a content that the group does not bring, as runs.
std::vector<ChunkRange> missing_chunks(const Group& group, const FileRow& row) {
  const auto end = static_cast<std::int64_t>((row.size + kChunkBytes - 1) / kChunkBytes);
  std::vector<bool> here(static_cast<std::size_t>(end));
  const auto mark = [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t n = std::max<std::int64_t>(first, 0); n < std::min(last, end); n++)
      here[static_cast<std::size_t>(n)] = true;
  };
  for (const ChunkRange& hole : row.holes) mark(hole.first, hole.last);
  for (const ChunkPut& put : group.chunk_puts)
    if (put.file == row.id) mark(put.chunk, put.chunk + 1);
  for (const ChunkShare& share : group.chunk_shares)
    if (share.target == row.id) mark(share.target_first, share.target_first + share.count);
  std::vector<ChunkRange> missing;
  for (std::int64_t n = 0; n < end; n++) {
    if (here[static_cast<std::size_t>(n)]) continue;
    if (missing.empty() || missing.back().last != n) missing.push_back({n, n});
    missing.back().last++;
  }
  return missing;
}

// Below what the group brings, or what was stored ahead. The later a share stands the more it
// counts: what the content rests on, else, where that is gone, what others made of it.
void share_rest(Group& group, const FileChange& change, Uuid source) {
  if (change.row.form != Form::chunked || change.row.object) return;
  const std::vector<ChunkRange> missing = missing_chunks(group, change.row);
  for (const Version version : {Version{INT64_MAX}, change.base}) {
    for (const ChunkRange& run : missing)
      group.chunk_shares.push_back({.target = change.row.id,
                                    .target_first = run.first,
                                    .target_version = change.base,
                                    .source = {source},
                                    .source_first = run.first,
                                    .source_version = version,
                                    .count = run.last - run.first});
  }
}

}  // namespace

// Every name that the group gives, and what else it has something of.
std::vector<LostFound::Entry> LostFound::entries_of(const Group& group) {
  std::vector<Entry> entries;
  std::set<Uuid> named;
  const auto add = [&](const Uuid& owner, FolderId folder, const std::string& name,
                       Entry::Kind kind) {
    entries.push_back({owner, folder, name, kind});
    named.insert(owner);
  };
  for (const FolderRow& row : group.folders)
    if (row.parent != row.id) add(row.id.uuid, row.parent, row.name, Entry::Kind::row);
  for (const FileChange& change : group.files)
    if (has_name(change))
      add(change.row.id.uuid, change.row.folder, change.row.name, Entry::Kind::row);
  for (const Restore& restore : group.restores)
    add(restore.id, restore.folder, restore.name, Entry::Kind::restore);
  for (const LinkRow& row : group.links_added)
    add(row.file.uuid, row.folder, row.name, Entry::Kind::link);
  for (const Uuid& owner : owners_of(group))
    if (!named.contains(owner)) entries.push_back({.owner = owner});
  return entries;
}

PgExpected<Group> LostFound::divert(Connection& connection, const Group& group,
                                    const std::set<Uuid>& missed) {
  attempt_ = {};
  attempt_.number = group.number;
  attempt_.places = places_;
  Group rest = group;
  for (Place& place : attempt_.places) put(rest, place);
  std::set<Uuid> theirs = missed;
  TRY(add_blocked_removals(connection, rest, theirs));

  const std::vector<Entry> entries = entries_of(rest);
  BinaryArray ids(ElementType::uuid), folders(ElementType::uuid), names(ElementType::text);
  for (const Entry& entry : entries) {
    ids.add(entry.owner);
    folders.add(entry.folder);
    names.add(entry.folder ? std::optional(std::string_view(entry.name)) : std::nullopt);
  }
  Uuids their_ids(theirs), own(std::vector<Uuid>{}), made(std::vector<Uuid>{});
  for (const Uuid& owner : owners_of(rest))
    if (!theirs.contains(owner)) own.add(owner);
  for (const FolderRow& row : rest.folders)
    if (!theirs.contains(row.id.uuid)) made.add(row.id.uuid);
  Params params;
  params.add_view(ids.finish()).add_view(folders.finish()).add_view(names.finish());
  params.add_view(their_ids.view()).add_view(own.view()).add_view(made.view());
  TRY_ASSIGN(const PgResult found, connection.run("find_conflicts", params));
  std::set<Uuid> done;
  for (int i = 0; i < found.rows(); i++) {
    const Row row = found.row(i);
    const Entry& entry = entries[static_cast<std::size_t>(row.integer(0) - 1)];
    const bool is_theirs = theirs.contains(entry.owner);
    if (is_theirs && !done.insert(entry.owner).second) continue;
    TRY(resolve(connection, rest, entry, is_theirs,
                {entry.owner, shown(row.text(2)), std::string(row.text(1))}));
  }
  return rest;
}

// A folder that others put something into stays, and so do those above it.
PgExpected<void> LostFound::add_blocked_removals(Connection& connection, const Group& group,
                                                 std::set<Uuid>& theirs) {
  std::set<Uuid> removed;
  for (const FolderId& id : group.folders_deleted) removed.insert(id.uuid);
  for (const Trashed& row : group.folders_trashed) removed.insert(row.id);
  const std::vector<Uuid> owners = owners_of(group);
  while (!removed.empty()) {
    std::erase_if(removed, [&](const Uuid& id) { return theirs.contains(id); });
    Uuids wanted(removed), own(std::vector<Uuid>{});
    for (const Uuid& owner : owners)
      if (!theirs.contains(owner)) own.add(owner);
    Params params;
    params.add_view(wanted.view()).add_view(own.view());
    TRY_ASSIGN(const PgResult blocked, connection.run("blocked_removals", params));
    if (blocked.rows() == 0) break;
    for (int i = 0; i < blocked.rows(); i++) theirs.insert(blocked.row(i).uuid(0));
  }
  return {};
}

PgExpected<void> LostFound::resolve(Connection& connection, Group& rest, const Entry& entry,
                                    bool is_theirs, Found found) {
  const Uuid owner = entry.owner;
  const auto owned = [owner](const auto& row) { return owner_of(row) == owner; };
  if (!is_theirs && entry.kind == Entry::Kind::link) {
    std::erase_if(rest.links_added, [&](const LinkRow& row) {
      return owned(row) && row.folder == entry.folder && row.name == entry.name;
    });
  } else if (!is_theirs && entry.kind == Entry::Kind::row) {
    TRY_ASSIGN(found.place, place(connection, rest, owner, owner, entry.name));
  } else if (brings_content(rest, owner)) {
    TRY_ASSIGN(found.place, place(connection, rest, owner, new_id(), entry.name));
  } else {
    found.is_worth_telling = !are_times_alone(rest, owner);
    drop_owner(rest, owner);
  }
  attempt_.found.push_back(std::move(found));
  return {};
}

PgExpected<Group> LostFound::divert_refused(Connection& connection, const Group& part, Uuid owner) {
  Group rest = part;
  for (const Entry& entry : entries_of(part)) {
    if (entry.kind != Entry::Kind::row) continue;
    TRY_ASSIGN(std::string where, place(connection, rest, owner, owner, entry.name));
    attempt_.found.push_back(
        {owner, shown(entry.name), "has a name that others took", std::move(where)});
  }
  return rest;
}

void LostFound::take_back(Uuid owner) {
  std::erase_if(attempt_.places, [&](const Place& place) { return place.owner == owner; });
  std::erase_if(attempt_.found, [&](const Found& found) { return found.owner == owner; });
}

PgExpected<std::string> LostFound::place(Connection& connection, Group& rest, Uuid owner, Uuid id,
                                         const std::string& name) {
  TRY(find_folder(connection));
  const bool has_xattrs = std::ranges::any_of(rest.files, [&](const FileChange& change) {
    return change.row.id.uuid == owner && change.row.meta.has_xattrs;
  });
  if (id != owner && has_xattrs) TRY(connection.run("copy_xattrs", Params().add(owner).add(id)));
  if (id != owner)
    TRY(connection.run("move_staged", Params().add(lease_.epoch).add(owner).add(id)));
  Place place{owner, id, attempt_.folder->id, name_for(name)};
  put(rest, place);
  attempt_.places.push_back(place);
  return fmt::format("/{}/{}", attempt_.folder->name, shown(place.name));
}

// Named as what it was, and by what no other mount, group or file has.
std::string LostFound::name_for(std::string_view name) {
  const std::string suffix =
      fmt::format(".{}-{}-{}-{}", plain(lease_.host), lease_.epoch,
                  static_cast<std::int64_t>(attempt_.number), ++attempt_.names);
  return std::string(cut_to(name, kMostNameBytes - suffix.size())) + suffix;
}

PgExpected<void> LostFound::find_folder(Connection& connection) {
  if (attempt_.folder) return {};
  TRY_ASSIGN(const PgResult found,
             connection.run("make_lost_found", Params()
                                                   .add(lease_.attached.tenant)
                                                   .add(new_id())
                                                   .add(std::int64_t{::geteuid()})
                                                   .add(std::int64_t{::getegid()})
                                                   .add(wall_now().ns)));
  if (found.rows() != 1) {
    PgFailure failure;
    failure.message = "no name is left for a folder lost+found";
    return std::unexpected(std::move(failure));
  }
  const Row row = found.row(0);
  attempt_.folder = Folder{{row.uuid(0)}, {row.uuid(2)}, std::string(row.text(1))};
  return {};
}

void LostFound::put(Group& group, Place& place) {
  const bool is_copy = place.id != place.owner;
  if (is_copy) give_to(group, place.owner, place.id);
  // Without content it has no row yet.
  if (is_copy && !place.has_content)
    std::erase_if(group.files, [&](const FileChange& change) {
      return change.row.id.uuid == place.id && !change.has_content;
    });
  for (FileChange& change : group.files) {
    if (change.row.id.uuid != place.id || !has_name(change)) continue;
    change.row.folder = place.folder;
    change.row.name = place.name;
    if (!is_copy) continue;
    change.row.meta.nlink = 1;
    if (std::exchange(place.has_content, true)) continue;
    change.previous_until.reset();
    share_rest(group, change, place.owner);
  }
  for (FolderRow& row : group.folders) {
    if (row.id.uuid != place.id) continue;
    row.parent = place.folder;
    row.name = place.name;
  }
}

std::vector<Uuid> LostFound::touched() const {
  if (!attempt_.folder) return {};
  return {attempt_.folder->id.uuid, attempt_.folder->root.uuid};
}

PgExpected<Usage> LostFound::settle(Connection& connection, const Group& group, const Group& rest) {
  std::set<Uuid> counted;
  for (const Uuid& id : owners_of(group)) counted.insert(id);
  for (const Uuid& id : touched()) counted.insert(id);
  for (const Entry& entry : entries_of(rest)) {
    counted.insert(entry.owner);
    if (entry.folder) counted.insert(entry.folder->uuid);
  }
  Uuids ids(counted), copies(std::vector<Uuid>{}), left(std::vector<Uuid>{});
  const auto goes_as_it_is = [this](const Uuid& owner) {
    return std::ranges::any_of(attempt_.places, [&](const Place& place) {
      return place.owner == owner && place.id == owner;
    });
  };
  for (const Found& found : attempt_.found)
    if (!goes_as_it_is(found.owner)) left.add(found.owner);
  for (const Place& place : attempt_.places)
    if (place.id != place.owner) copies.add(place.id);
  const Params tree = Params().add(lease_.attached.tenant);
  Params staged = Params().add(lease_.epoch), copied, all;
  staged.add_view(left.view());
  copied.add_view(copies.view());
  all.add_view(ids.view());
  TRY(connection.queue("scan_freely"));
  TRY(connection.queue("drop_staged_chunks", staged));
  TRY(connection.queue("drop_staged", staged));
  TRY(connection.queue("note_holes", copied));
  TRY(connection.queue("count_links", all));
  TRY(connection.queue("recount", tree));
  TRY(connection.queue("forget_pending_usage", tree));
  TRY(connection.queue("usage", tree));
  Answers answers = connection.finish();
  if (answers.failure) return std::unexpected(std::move(*answers.failure));
  const Row row = answers.results.back().row(0);
  return Usage{row.integer(0), row.integer(1), row.integer(2)};
}

void LostFound::committed(GroupNo number) {
  if (attempt_.number != number) return;
  const Attempt done = std::exchange(attempt_, {});
  places_ = done.places;
  for (const Found& found : done.found) {
    changed_.push_back(found.owner);
    if (found.is_worth_telling) displaced_.push_back(found.owner);
    if (!found.place.empty()) {
      std::erase_if(dropped_, [&](const Found& other) { return other.owner == found.owner; });
      log::warning("{} {} meanwhile: what this mount has of it is in {}", found.path, found.why,
                   found.place);
    } else if (found.is_worth_telling) {
      dropped_.push_back(found);
    }
  }
  for (const Place& place : places_) changed_.push_back(place.id);
  if (!done.folder) return;
  changed_.push_back(done.folder->id.uuid);
  changed_.push_back(done.folder->root.uuid);
}

std::vector<Uuid> LostFound::reset() {
  for (const Found& found : std::exchange(dropped_, {}))
    log::warning("{} {} meanwhile: what this mount did with it is dropped", found.path, found.why);
  places_.clear();
  displaced_.clear();
  return std::exchange(changed_, {});
}

}  // namespace tusk::store
