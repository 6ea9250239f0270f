#include "tuskfs/store/backup.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "cli/database.h"
#include "cli/report.h"
#include "cli/secrets.h"
#include "cli/verbs.h"

namespace tusk::cli {
namespace {

using Json = nlohmann::ordered_json;

Json json_of(const store::Backup& backup) {
  Json trees = Json::object();
  for (const auto& [name, counts] : backup.manifest.trees)
    trees[name] = {{"files", counts.files},
                   {"folders", counts.folders},
                   {"bytes", counts.bytes},
                   {"trashed", counts.trashed},
                   {"versions", counts.versions}};
  return {{"name", backup.name},
          {"path", backup.path},
          {"taken_at", backup.manifest.taken_at},
          {"bytes", backup.bytes},
          {"tuskfs_version", backup.manifest.tuskfs_version},
          {"schema_version", backup.manifest.schema_version},
          {"server_version", backup.manifest.server_version},
          {"trees", trees}};
}

std::string line_of(const store::Backup& backup) {
  std::int64_t files = 0, bytes = 0;
  for (const auto& [name, counts] : backup.manifest.trees) {
    files += counts.files;
    bytes += counts.bytes;
  }
  return fmt::format("{}  {:>10} kB, {} files of {} kB", backup.name, (backup.bytes + 999) / 1000,
                     files, (bytes + 999) / 1000);
}

Result<void> make(const BackupRequest& request) {
  TRY_ASSIGN(const Database database, open_tree(request.source));
  TRY_ASSIGN(const store::Backup made, store::make_backup(database.conninfo, request.folder));
  fmt::print("{}\n", line_of(made));
  return {};
}

Result<void> list(const BackupRequest& request) {
  TRY_ASSIGN(const auto backups, store::list_backups(request.folder));
  Json all = Json::array();
  for (const store::Backup& each : backups) {
    if (request.json)
      all.push_back(json_of(each));
    else
      fmt::print("{}\n", line_of(each));
  }
  if (request.json) fmt::print("{}\n", all.dump(2));
  return {};
}

Result<void> verify(const BackupRequest& request) {
  TRY_ASSIGN(const store::Backup backup, store::find_backup(request.folder));
  TRY(store::verify_backup(backup, request.objects));
  fmt::print("{} is whole: restored on trial and checked\n", backup.name);
  return {};
}

Result<void> prune(const BackupRequest& request) {
  TRY_ASSIGN(const auto removed, store::prune_backups(request.folder, request.keep));
  for (const std::string& name : removed) fmt::print("removed {}\n", name);
  return {};
}

Result<void> perform(const BackupRequest& request) {
  switch (request.action) {
    case BackupAction::make:
      return make(request);
    case BackupAction::list:
      return list(request);
    case BackupAction::verify:
      return verify(request);
    case BackupAction::prune:
      return prune(request);
  }
  return {};
}

Result<void> perform(const RestoreRequest& request) {
  TRY_ASSIGN(const store::Backup backup, store::find_backup(request.backup));
  TRY_ASSIGN(const Database database, open_database(request.source));
  const std::string beside = database.cluster ? database.cluster->data_dir() + "/objects" : "";
  TRY(store::restore_backup(backup, database.conninfo,
                            request.objects.empty() ? beside : request.objects));
  fmt::print("{} is restored\n", backup.name);
  return {};
}

}  // namespace

int backup(const BackupRequest& request) {
  const auto done = perform(request);
  return done ? kDone : report(without_password(done.error(), request.source.database));
}

int restore_backup(const RestoreRequest& request) {
  const auto done = perform(request);
  return done ? kDone : report(without_password(done.error(), request.source.database));
}

}  // namespace tusk::cli
