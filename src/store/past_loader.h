// The PastStore's questions, asked over a loader's connection.
#pragma once

#include "tiers.h"
#include "tuskfs/store/past.h"

namespace tusk::store::past {

Result<std::optional<FolderRow>> root(Loader& loader, TenantId tenant, WallTime at);
Result<PastItems> moment_folder(Loader& loader, FolderId folder, WallTime at,
                                const std::string& name);
Result<PastItems> history_folders(Loader& loader, const std::vector<PastBound>& folders,
                                  const std::string& name);
Result<PastItems> history_versions(Loader& loader, const std::vector<PastBound>& files);
Result<PastItems> trash_tops(Loader& loader, TenantId tenant);
Result<PastItems> trash_folder(Loader& loader, FolderId folder);
Result<std::string> path(Loader& loader, Uuid id);
Result<std::vector<Snapshot>> snapshots(Loader& loader, TenantId tenant, const std::string& name);
Result<void> take_snapshot(Loader& loader, TenantId tenant, const Snapshot& snapshot);
Result<void> remove_snapshot(Loader& loader, TenantId tenant, const std::string& name);
Result<void> purge_trashed(Loader& loader, TenantId tenant, Uuid id);
// Log what is damaged.
Result<SharedBytes> inline_content(Loader& loader, const FileRow& row);
Result<std::vector<SharedBytes>> chunks(Tiers& tiers, Loader& loader, const FileRow& row,
                                        ChunkRange range);

}  // namespace tusk::store::past
