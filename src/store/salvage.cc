#include "salvage.h"

#include <algorithm>
#include <set>
#include <span>

#include "group_writer.h"
#include "sqlstate.h"

namespace tusk::store {
namespace {

Uuid owner_of(FileId id) { return id.uuid; }
Uuid owner_of(FolderId id) { return id.uuid; }
Uuid owner_of(const FolderRow& row) { return row.id.uuid; }
Uuid owner_of(const FileChange& change) { return change.row.id.uuid; }
Uuid owner_of(const Trashed& trashed) { return trashed.id; }
Uuid owner_of(const Restore& restore) { return restore.id; }
Uuid owner_of(const NameEnd& end) { return end.id; }
Uuid owner_of(const LinkRow& row) { return row.file.uuid; }
Uuid owner_of(const XattrRow& row) { return row.owner; }
Uuid owner_of(const ChunkDrop& drop) { return drop.file.uuid; }
Uuid owner_of(const ChunkPut& put) { return put.file.uuid; }
Uuid owner_of(const Staging& staging) { return staging.file.uuid; }
Uuid owner_of(const ObjectWrite& write) { return write.file.uuid; }

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

// Without these tables there is no tree: better to wait for them than to give up every file.
bool is_tree_lost(const PgFailure& failure) {
  return failure.sqlstate.starts_with("42") &&
         (failure.statement == "upsert_files" || failure.statement == "update_files" ||
          failure.statement == "upsert_folders");
}

class Salvage {
 public:
  Salvage(Connection& connection, const Group& group, const Lease& lease, MimeTypes& mime)
      : connection_(connection), group_(group), lease_(lease), mime_(mime) {}

  PgExpected<std::vector<Refusal>> run() {
    TRY(write_clones());
    Group common;
    common.chunk_shares = group_.chunk_shares;
    common.files_vacated = group_.files_vacated;
    common.folders_vacated = group_.folders_vacated;
    common.policy = group_.policy;
    TRY(write(common));
    const std::vector<Uuid> owners = all_owners();
    TRY(write_owners(owners));
    return std::move(refused_);
  }

 private:
  // They read what the rest of the group changes.
  PgExpected<void> write_clones() {
    for (const Clone& clone : group_.clones) {
      Group alone;
      alone.clones.push_back(clone);
      const auto written = write(alone);
      if (written) continue;
      if (commit_result(written.error(), false).state != CommitState::refused) return written;
      TRY(connection_.run("rollback_to_savepoint"));
      refused_.push_back({clone.target, written.error().text()});
    }
    return {};
  }

  std::vector<Uuid> all_owners() const {
    std::vector<Uuid> owners;
    // The rows of what could not become a clone are not those of what it is.
    std::set<Uuid> seen;
    for (const Refusal& refusal : refused_) seen.insert(refusal.owner);
    Group unused;
    for_each_list(group_, unused, [&](const auto& rows, auto&) {
      for (const auto& row : rows) {
        if (seen.insert(owner_of(row)).second) owners.push_back(owner_of(row));
      }
    });
    return owners;
  }

  // Halves what is refused until each refused owner stands alone.
  PgExpected<void> write_owners(std::span<const Uuid> owners) {
    if (owners.empty()) return {};
    const auto written = write(part_of(owners));
    if (written) return {};
    const PgFailure& failure = written.error();
    const bool refused = commit_result(failure, false).state == CommitState::refused;
    if (!refused || is_tree_lost(failure)) return written;
    TRY(connection_.run("rollback_to_savepoint"));
    if (owners.size() == 1) {
      refused_.push_back({owners[0], failure.text()});
      return {};
    }
    const std::size_t half = owners.size() / 2;
    TRY(write_owners(owners.first(half)));
    return write_owners(owners.subspan(half));
  }

  Group part_of(std::span<const Uuid> owners) const {
    const std::set<Uuid> wanted(owners.begin(), owners.end());
    Group part;
    for_each_list(group_, part, [&](const auto& from, auto& to) {
      std::ranges::copy_if(from, std::back_inserter(to),
                           [&](const auto& row) { return wanted.contains(owner_of(row)); });
    });
    return part;
  }

  PgExpected<void> write(const Group& part) {
    TRY(connection_.queue("savepoint"));
    TRY(write_rows(connection_, part, lease_, mime_));
    Answers answers = connection_.finish();
    if (answers.failure) return std::unexpected(std::move(*answers.failure));
    TRY(connection_.run("release_savepoint"));
    return {};
  }

  Connection& connection_;
  const Group& group_;
  const Lease& lease_;
  MimeTypes& mime_;
  std::vector<Refusal> refused_;
};

}  // namespace

bool drop_owner(Group& group, Uuid owner) {
  const Group unused;
  std::size_t dropped = 0;
  for_each_list(unused, group, [&](const auto&, auto& rows) {
    dropped += std::erase_if(rows, [&](const auto& row) { return owner_of(row) == owner; });
  });
  return dropped > 0;
}

PgExpected<std::vector<Refusal>> write_accepted_rows(Connection& connection, const Group& group,
                                                     const Lease& lease, MimeTypes& mime) {
  return Salvage(connection, group, lease, mime).run();
}

}  // namespace tusk::store
