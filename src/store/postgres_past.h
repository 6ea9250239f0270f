// The PastStore over the connections that read.
#pragma once

#include "loads.h"
#include "past_loader.h"
#include "tiers.h"
#include "tuskfs/store/past.h"

namespace tusk::store {

class PostgresPast : public PastStore {
 public:
  PostgresPast(Loads& loads, Tiers& tiers, TenantId tenant)
      : loads_(loads), tiers_(tiers), tenant_(tenant) {}

  void past_root(WallTime at, Callback<Result<std::optional<FolderRow>>> callback) override {
    loads_.ask<std::optional<FolderRow>>(
        [this, at](Loader& loader) { return past::root(loader, tenant_, at); },
        std::move(callback));
  }
  void moment_folder(FolderId folder, WallTime at, const std::string& name,
                     Callback<Result<PastItems>> callback) override {
    loads_.ask<PastItems>(
        [folder, at, name](Loader& loader) {
          return past::moment_folder(loader, folder, at, name);
        },
        std::move(callback));
  }
  void history_folders(const std::vector<PastBound>& folders, const std::string& name,
                       Callback<Result<PastItems>> callback) override {
    loads_.ask<PastItems>(
        [folders, name](Loader& loader) { return past::history_folders(loader, folders, name); },
        std::move(callback));
  }
  void history_versions(const std::vector<PastBound>& files,
                        Callback<Result<PastItems>> callback) override {
    loads_.ask<PastItems>([files](Loader& loader) { return past::history_versions(loader, files); },
                          std::move(callback));
  }
  void trash_tops(Callback<Result<PastItems>> callback) override {
    loads_.ask<PastItems>([this](Loader& loader) { return past::trash_tops(loader, tenant_); },
                          std::move(callback));
  }
  void trash_folder(FolderId folder, Callback<Result<PastItems>> callback) override {
    loads_.ask<PastItems>([folder](Loader& loader) { return past::trash_folder(loader, folder); },
                          std::move(callback));
  }
  void past_path(Uuid id, Callback<Result<std::string>> callback) override {
    loads_.ask<std::string>([id](Loader& loader) { return past::path(loader, id); },
                            std::move(callback));
  }
  void past_xattrs(Uuid owner, Callback<Result<std::vector<XattrRow>>> callback) override {
    loads_.ask<std::vector<XattrRow>>([owner](Loader& loader) { return loader.xattrs(owner); },
                                      std::move(callback));
  }
  void snapshots(const std::string& name,
                 Callback<Result<std::vector<Snapshot>>> callback) override {
    loads_.ask<std::vector<Snapshot>>(
        [this, name](Loader& loader) { return past::snapshots(loader, tenant_, name); },
        std::move(callback));
  }
  void take_snapshot(const std::string& name, WallTime at,
                     Callback<Result<void>> callback) override {
    loads_.ask<void>(
        [this, name, at](Loader& loader) {
          return past::take_snapshot(loader, tenant_, {name, at});
        },
        std::move(callback));
  }
  void remove_snapshot(const std::string& name, Callback<Result<void>> callback) override {
    loads_.ask<void>(
        [this, name](Loader& loader) { return past::remove_snapshot(loader, tenant_, name); },
        std::move(callback));
  }
  void purge_trashed(Uuid id, Callback<Result<void>> callback) override {
    loads_.ask<void>(
        [this, id](Loader& loader) { return past::purge_trashed(loader, tenant_, id); },
        std::move(callback));
  }
  void past_inline(const FileRow& row, Callback<Result<SharedBytes>> callback) override {
    loads_.ask<SharedBytes>([row](Loader& loader) { return past::inline_content(loader, row); },
                            std::move(callback));
  }
  void past_chunks(const FileRow& row, ChunkRange range,
                   Callback<Result<std::vector<SharedBytes>>> callback) override {
    loads_.ask<std::vector<SharedBytes>>(
        [this, row, range](Loader& loader) { return past::chunks(tiers_, loader, row, range); },
        std::move(callback));
  }

 private:
  Loads& loads_;
  Tiers& tiers_;
  const TenantId tenant_;
};

}  // namespace tusk::store
