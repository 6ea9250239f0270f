// The verbs of the command line. Each prints what it has to say and returns the exit status.
#pragma once

#include "cli/requests.h"

namespace tusk::cli {

inline constexpr int kDone = 0;
inline constexpr int kFailed = 1;
inline constexpr int kUsage = 2;
// Of fsck, as fsck(8) has it.
inline constexpr int kRepaired = 1;
inline constexpr int kErrorsLeft = 4;
inline constexpr int kFsckFailed = 8;

int mount(MountRequest request);
int install_sidecar(const Source& source);
int umount(const UmountRequest& request);
int dsn(const DsnRequest& request);
int status(const StatusRequest& request);
int migrate(const MigrateRequest& request);
int log_versions(const PastRequest& request);
int cat(const PastRequest& request);
int restore(const PastRequest& request);
int trash(const PastRequest& request);
int du(const PastRequest& request);
int gc(const PastRequest& request);
int du(const PastRequest& request);
int clone(const CloneRequest& request);
int snapshot(const SnapshotRequest& request);
int snapshot_diff(const SnapshotRequest& request);
int diff(const DiffRequest& request);
int tenant(const TenantRequest& request);
int quota_check(const QuotaRequest& request);
int policy(const PolicyRequest& request);
int storage(const StorageRequest& request);
int fsck(const FsckRequest& request);
int backup(const BackupRequest& request);
int restore_backup(const RestoreRequest& request);

}  // namespace tusk::cli
