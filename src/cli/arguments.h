// The arguments of the command line, as CLI11 takes them apart: one function a verb.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>
#include <vector>

#include "cli/report.h"
#include "cli/requests.h"

namespace tusk::cli {

inline constexpr const char* kVersionLine = "tuskfs " TUSKFS_VERSION;

// What CLI11 fills in while it parses; alive until a verb has run.
struct Parsed {
  std::vector<std::string> words;  // positional
  bool install = false;            // sidecar
  std::vector<std::string> option_lists;
  std::string data_dir;
  MountRequest mount;
  UmountRequest umount;
  DsnRequest dsn;
  StatusRequest status;
  MigrateRequest migrate;
  PastRequest past;
  SnapshotRequest snapshot;
  DiffRequest diff;
  CloneRequest clone;
  PolicyRequest policy;
  TenantRequest tenant;
  QuotaRequest quota;
  StorageRequest storage;
  FsckRequest fsck;
  BackupRequest backup;
  RestoreRequest restore_backup;
  std::function<int()> verb;
};

// arguments_tree.cc
void add_mount(CLI::App& app, Parsed& parsed);
void add_sidecar(CLI::App& app, Parsed& parsed);
void add_umount(CLI::App& app, Parsed& parsed);
void add_dsn(CLI::App& app, Parsed& parsed);
void add_status(CLI::App& app, Parsed& parsed);
void add_migrate(CLI::App& app, Parsed& parsed);
// arguments_history.cc: log, cat, restore, trash, gc
void add_history(CLI::App& app, Parsed& parsed);
void add_clone(CLI::App& app, Parsed& parsed);
void add_snapshot(CLI::App& app, Parsed& parsed);
void add_diff(CLI::App& app, Parsed& parsed);
void add_policy(CLI::App& app, Parsed& parsed);
// arguments_upkeep.cc
void add_storage(CLI::App& app, Parsed& parsed);
void add_tenant(CLI::App& app, Parsed& parsed);
void add_quota(CLI::App& app, Parsed& parsed);
void add_fsck(CLI::App& app, Parsed& parsed);
void add_backup(CLI::App& app, Parsed& parsed);
void add_restore_backup(CLI::App& app, Parsed& parsed);

// What verbs have in common.

// Wrong values are CLI11's to report, as its own usage errors.
template <class T>
T valid(Result<T> result) {
  if (!result) throw CLI::ValidationError(one_line(result.error()));
  if constexpr (!std::is_void_v<T>) return *std::move(result);
}

// Not both a database and a data folder.
void check_source(const Source& source);
// "DB MOUNTPOINT" and the like: the database may be left out.
Source take_source(std::vector<std::string>& words, const std::string& data_dir);

// CLI11 knows no optional word before a required one.
class FixedUsage : public CLI::Formatter {
 public:
  explicit FixedUsage(std::string words) : words_(std::move(words)) {}
  std::string make_usage(const CLI::App*, std::string name) const override {
    return "Usage: " + name + " [OPTIONS] " + words_ + "\n";
  }

 private:
  std::string words_;
};

CLI::App* add_verb(CLI::App& app, const char* name, const char* summary);
void add_data_dir(CLI::App* verb, std::string& target);
void add_json(CLI::App* verb, bool& json);
// --encrypt-objects and --object-cache
void add_object_access(CLI::App* verb, objects::Access& access);

}  // namespace tusk::cli
