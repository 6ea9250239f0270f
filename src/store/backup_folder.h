// Backups as files: names, manifests, checksums, and that all of it is on the disk.
#pragma once

#include <string>

#include "tuskfs/base/fd.h"
#include "tuskfs/store/backup.h"

namespace tusk::store {

inline constexpr const char* kManifestFile = "manifest.json";
inline constexpr const char* kDumpFolder = "dump";

// A backup that is being made: hidden, locked while its maker lives, removed unless published.
class UnfinishedBackup {
 public:
  static Result<UnfinishedBackup> begin(const std::string& folder);
  UnfinishedBackup(UnfinishedBackup&&) = default;
  UnfinishedBackup& operator=(UnfinishedBackup&&) = delete;
  ~UnfinishedBackup();

  const std::string& path() const { return path_; }
  const std::string& name() const { return name_; }
  // Writes the manifest with the checksums of what is there, syncs and renames.
  Result<Backup> publish(Manifest manifest);

 private:
  UnfinishedBackup(std::string folder, std::string name, std::string path, Fd lock)
      : folder_(std::move(folder)),
        name_(std::move(name)),
        path_(std::move(path)),
        lock_(std::move(lock)) {}

  std::string folder_, name_, path_;
  Fd lock_;
};

// Removes what makers that died left.
void remove_unfinished(const std::string& folder);

// EIO when a file is missing, changed or not named by the manifest.
Result<void> compare_checksums(const Backup& backup);

}  // namespace tusk::store
