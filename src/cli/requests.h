// What the command line asks for.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "tuskfs/base/ids.h"
#include "tuskfs/base/log.h"
#include "tuskfs/core/options.h"
#include "tuskfs/objects/objects.h"

namespace tusk::cli {

// Where a tree is kept: a database by its conninfo or URI, or the embedded cluster of a folder.
struct Source {
  std::string database;  // empty: embedded; may hold a password
  std::string data_dir;  // empty: store::default_data_dir()
  bool embedded() const { return database.empty(); }
};

struct MountRequest {
  Source source;
  std::string mountpoint;
  bool foreground = false;
  bool migrate = false;
  core::Durability durability = core::Durability::fsync;
  std::string tenant = "default";
  std::chrono::seconds db_timeout{60};
  std::chrono::seconds delegation_idle{2};
  std::string log_file;
  log::Level log_level = log::Level::info;
  std::string fsname;         // empty: derived from the source
  std::string at;             // a time or a snapshot: the tree as it was then; empty: as it is
  bool sidecar = false;       // stats/ and its like at the root too
  bool only_sidecar = false;  // and nothing else
  std::chrono::milliseconds alerts_every{5000};  // of the sidecar
  bool read_only = false;
  bool read_only_standby = false;  // beside the mount that writes, and of a standby if there is one
  bool noatime = false;
  objects::Options objects;  // where large files go; without a location what is noted counts
  std::vector<std::string> fuse_options;  // for libfuse, checked
};

struct UmountRequest {
  std::string mountpoint;
};

struct DsnRequest {
  std::string data_dir;
};

struct StatusRequest {
  std::string mountpoint;  // empty: all
  bool json = false;
};

// A path in a mounted tree, and the time or version of it that is meant.
struct PastRequest {
  std::string path = ".";
  std::string database;  // only where the mount cannot tell: its server is not the embedded one
  std::string at;        // a time as people write it; empty: now, or when the path was last seen
  Version version = -1;  // -1: not given
  std::string to;        // restore: where to
  std::chrono::seconds object_grace{3600};  // gc
  bool json = false;
  objects::Access objects;  // cat, restore
};

struct QuotaRequest {
  Source source;
  std::string path;    // in a mount: its tree
  std::string tenant;  // empty: all
  bool repair = false;
  bool json = false;
};
enum class TenantAction { list, create, rename, remove, quota };
struct TenantRequest {
  TenantAction action = TenantAction::list;
  Source source;
  std::string name;
  std::string to;                            // rename
  bool purge = false;                        // remove, with everything in it
  std::optional<std::int64_t> bytes, files;  // quota
  bool no_quota = false;                     // quota: what is not given has no limit
  bool json = false;
};

enum class PolicyAction { show, set, unset };
struct PolicyRequest {
  PolicyAction action = PolicyAction::show;
  std::string path;
  std::vector<std::string> settings;  // set: KEY=VALUE; unset: KEY
  bool json = false;
};

// Moments: a version's number, a snapshot's name or a time; empty: the one before, and the present.
struct DiffRequest {
  PastRequest past;
  std::string from, to;
};

enum class SnapshotAction { create, list, remove, diff };
struct SnapshotRequest {
  PastRequest past;
  SnapshotAction action = SnapshotAction::list;
  std::string name;
  std::string other;  // diff: to be compared with; empty: the present
};

struct CloneRequest {
  std::string source, target;
};

enum class MigrateAction { up, down, status };
struct MigrateRequest {
  Source source;
  MigrateAction action = MigrateAction::status;
  int to = -1;
};

enum class StorageAction { show, move };

struct StorageRequest {
  StorageAction action = StorageAction::show;
  std::string path;
  bool out = false;  // to objects
  bool json = false;
};

struct FsckRequest {
  Source source;
  std::string path = {};  // in a mount: its tree
  std::string tenant;     // empty: all
  bool repair = false;
  bool scrub = false;
  bool json = false;
  objects::Access objects;
};

enum class BackupAction { make, list, verify, prune };
struct BackupRequest {
  Source source;
  BackupAction action = BackupAction::make;
  std::string folder;  // of the backups; to verify: of one of them, or the newest in it
  int keep = 0;
  bool json = false;
  objects::Access objects;  // verify
};

struct RestoreRequest {
  Source source;
  std::string backup;   // or the folder of several: the newest
  std::string objects;  // where large files go; empty: beside the embedded cluster
};

}  // namespace tusk::cli
