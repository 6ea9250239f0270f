#include "turns.h"

#include <algorithm>

#include "tuskfs/base/log.h"

namespace tusk::store {
namespace {

constexpr std::string_view kLockTimeout = "55P03";
// One turn is two seconds (wait_briefly); a mount at work says so every second.
constexpr int kTurnsOfPatience = 3;
constexpr std::int64_t kSilentSeconds = 5;

}  // namespace

PgExpected<bool> Turns::wait(Connection& connection, std::string_view statement) {
  TRY(connection.run("call_out", Params().add(mount_.epoch)));
  TRY(connection.queue("wait_briefly"));
  TRY(connection.queue(statement, Params().add(mount_.tenant)));
  Answers answers = connection.finish();
  if (!answers.failure) {
    in_vain_ = 0;
    return true;
  }
  if (answers.failure->sqlstate != kLockTimeout)
    return std::unexpected(std::move(*answers.failure));
  if (++in_vain_ < kTurnsOfPatience) return false;
  auto ended = connection.run("end_frozen_mounts",
                              Params().add(mount_.tenant).add(mount_.epoch).add(kSilentSeconds));
  if (!ended) return std::unexpected(std::move(ended).error());
  if (ended->row(0).integer(0) > 0)
    log::warning("another mount of the tree does not answer: its sessions are ended");
  return false;
}

OthersChanges read_changes(const PgResult& rows) {
  OthersChanges found;
  found.known_to = rows.row(0).integer(0);
  for (int i = 0; i < rows.rows(); i++) {
    const Row row = rows.row(i);
    if (!row.is_null(1)) found.changes.push_back({row.uuid(1), row.integer(2), row.integer(3)});
  }
  return found;
}

std::vector<Uuid> KnownChanges::learn(const OthersChanges& found) {
  std::vector<Uuid> entries;
  for (const OthersChanges::Change& change : found.changes) {
    if (later_.emplace(change.id, change.transaction).second) entries.push_back(change.entry);
  }
  known_to_ = std::max(known_to_, found.known_to);
  std::erase_if(later_, [this](const auto& change) { return change.second < known_to_; });
  return entries;
}

Params changes_since(std::int64_t since, const MountId& mount) {
  return Params().add(since).add(mount.epoch);
}

}  // namespace tusk::store
