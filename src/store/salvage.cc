#include "salvage.h"

#include <algorithm>
#include <set>
#include <span>

#include "group_owners.h"
#include "group_writer.h"
#include "sqlstate.h"

namespace tusk::store {
namespace {

// Without these tables there is no tree: better to wait for them than to give up every file.
bool is_tree_lost(const PgFailure& failure) {
  return failure.sqlstate.starts_with("42") &&
         (failure.statement == "upsert_files" || failure.statement == "update_files" ||
          failure.statement == "upsert_folders");
}

class Salvage {
 public:
  Salvage(Connection& connection, const Group& group, const Lease& lease, MimeTypes& mime,
          LostFound& lost_found)
      : connection_(connection),
        group_(group),
        lease_(lease),
        mime_(mime),
        lost_found_(lost_found) {}

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
    std::vector<Uuid> owners = owners_of(group_);
    // The rows of what could not become a clone are not those of what it is.
    for (const Refusal& refusal : refused_) std::erase(owners, refusal.owner);
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
    if (owners.size() == 1) return write_elsewhere(owners[0], failure);
    const std::size_t half = owners.size() / 2;
    TRY(write_owners(owners.first(half)));
    return write_owners(owners.subspan(half));
  }

  PgExpected<void> write_elsewhere(Uuid owner, const PgFailure& failure) {
    if (failure.sqlstate == kUniqueViolation) {
      const Group part = part_of({&owner, 1});
      TRY_ASSIGN(const Group elsewhere, lost_found_.divert_refused(connection_, part, owner));
      if (write(elsewhere)) return {};
      TRY(connection_.run("rollback_to_savepoint"));
      lost_found_.take_back(owner);
    }
    refused_.push_back({owner, failure.text()});
    return {};
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
  LostFound& lost_found_;
  std::vector<Refusal> refused_;
};

}  // namespace

PgExpected<std::vector<Refusal>> write_accepted_rows(Connection& connection, const Group& group,
                                                     const Lease& lease, MimeTypes& mime,
                                                     LostFound& lost_found) {
  return Salvage(connection, group, lease, mime, lost_found).run();
}

}  // namespace tusk::store
