#include "upkeep.h"

#include "tuskfs/base/log.h"

namespace tusk::store {
namespace {

void note(Connection& connection, const char* statement, const Params& params) {
  if (!connection.alive()) return;
  const auto noted = connection.run(statement, params);
  constexpr std::string_view kNoRight = "42501";
  if (noted || noted.error().sqlstate == kNoRight) return;
  log::warning("the database has no note of it: {}", noted.error().text());
}

}  // namespace

void record(Connection& connection, const BackupRecord& backup) {
  note(connection, "record_backup",
       Params()
           .add(std::string_view(backup.location))
           .add(backup.bytes)
           .add(backup.begun.ns)
           .add(std::string_view(backup.problem)));
}

void record(Connection& connection, const Checkup& checkup) {
  note(connection, "record_checkup",
       Params().add(checkup.tenant).add(checkup.scrubbed).add(checkup.errors).add(checkup.missing));
}

}  // namespace tusk::store
