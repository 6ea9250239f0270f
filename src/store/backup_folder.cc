#include "backup_folder.h"

#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "manifest.h"
#include "tuskfs/base/sha256.h"

namespace tusk::store {
namespace {

namespace fs = std::filesystem;

constexpr auto kUntilNextName = std::chrono::milliseconds(200);
constexpr std::string_view kUnfinished = ".unfinished";

Error errno_error(const std::string& what) {
  return {errno, what + ": " + std::strerror(errno), {}};
}

std::string hidden_path(const std::string& folder, const std::string& name) {
  return folder + "/." + name + std::string(kUnfinished);
}

Result<Fd> lock_of(const std::string& path) {
  Fd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd && ::flock(fd.get(), LOCK_EX | LOCK_NB) == 0) return fd;
  return std::unexpected(errno_error("cannot lock " + path));
}

Result<void> sync(const std::string& path) {
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (fd && ::fsync(fd.get()) == 0) return {};
  return std::unexpected(errno_error("cannot sync " + path));
}

std::vector<std::string> files_below(const std::string& folder) {
  std::vector<std::string> found;
  std::error_code ignored;
  for (const auto& entry : fs::recursive_directory_iterator(folder, ignored))
    if (!entry.is_directory(ignored)) found.push_back(fs::relative(entry.path(), folder));
  std::ranges::sort(found);
  return found;
}

Result<void> sync_all(const std::string& folder) {
  std::error_code failed;
  for (const auto& entry : fs::recursive_directory_iterator(folder, failed))
    TRY(sync(entry.path()));
  if (failed) return fail(failed.value(), fmt::format("cannot read {}", folder));
  return sync(folder);
}

Result<void> write_file(const std::string& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary);
  file << text;
  file.close();
  if (file) return {};
  return std::unexpected(errno_error("cannot write " + path));
}

Result<Backup> read_backup(const fs::path& path) {
  std::ifstream file(path / kManifestFile);
  if (!file)
    return fail(ENOENT, fmt::format("{} is no backup", path.string()),
                "name a folder that tuskfs backup made; tuskfs backup --list DIR shows them");
  std::stringstream text;
  text << file.rdbuf();
  auto manifest = parse_manifest(text.str());
  if (!manifest) {
    manifest.error().what = path.string() + ": " + manifest.error().what;
    return std::unexpected(std::move(manifest).error());
  }
  Backup backup{path.filename(), path, 0, *std::move(manifest)};
  for (const std::string& each : files_below(path)) {
    std::error_code ignored;
    const auto size = fs::file_size(path / each, ignored);
    if (!ignored) backup.bytes += static_cast<std::int64_t>(size);
  }
  return backup;
}

std::string name_of_now() {
  return fmt::format("{:%Y-%m-%dT%H-%M-%SZ}", fmt::gmtime(std::time(nullptr)));
}

// Backups' names sort as their times.
bool is_backup_name(const std::string& name) {
  static constexpr std::string_view kForm = "dddd-dd-ddTdd-dd-ddZ";
  return std::ranges::equal(name, kForm, [](char c, char form) {
    return form == 'd' ? c >= '0' && c <= '9' : c == form;
  });
}

}  // namespace

Result<UnfinishedBackup> UnfinishedBackup::begin(const std::string& folder) {
  std::error_code failed;
  fs::create_directories(folder, failed);
  if (failed)
    return fail(failed.value(), fmt::format("cannot make {}: {}", folder, failed.message()),
                "choose another folder for the backups");
  std::string name = name_of_now();
  // A name is a second: one backup each.
  while (true) {
    const bool is_free = !fs::exists(folder + "/" + name, failed);
    if (is_free && ::mkdir(hidden_path(folder, name).c_str(), 0700) == 0) break;
    if (is_free && errno != EEXIST)
      return std::unexpected(errno_error("cannot make a backup in " + folder));
    std::this_thread::sleep_for(kUntilNextName);
    name = name_of_now();
  }
  const std::string path = hidden_path(folder, name);
  TRY_ASSIGN(Fd lock, lock_of(path));
  return UnfinishedBackup(folder, std::move(name), path, std::move(lock));
}

UnfinishedBackup::~UnfinishedBackup() {
  if (path_.empty()) return;
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

Result<Backup> UnfinishedBackup::publish(Manifest manifest) {
  for (const std::string& file : files_below(path_)) {
    if (manifest.checksums.contains(file)) continue;
    TRY_ASSIGN(manifest.checksums[file], sha256_of_file(path_ + "/" + file));
  }
  TRY(write_file(path_ + "/" + kManifestFile, text_of(manifest)));
  TRY(sync_all(path_));
  const std::string path = folder_ + "/" + name_;
  if (::renameat2(AT_FDCWD, path_.c_str(), AT_FDCWD, path.c_str(), RENAME_NOREPLACE) != 0)
    return std::unexpected(errno_error("cannot rename the backup to " + path));
  path_.clear();
  TRY(sync(folder_));
  return read_backup(path);
}

void remove_unfinished(const std::string& folder) {
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    const std::string name = entry.path().filename();
    if (!name.starts_with('.') || !name.ends_with(kUnfinished)) continue;
    const auto lock = lock_of(entry.path());
    if (lock) fs::remove_all(entry.path(), ignored);
  }
}

Result<void> compare_checksums(const Backup& backup) {
  const auto damaged = [&](const std::string& what) {
    return fail(EIO, fmt::format("the backup {} is damaged: {}", backup.path, what),
                "restore another one");
  };
  for (const auto& [file, sum] : backup.manifest.checksums) {
    const auto found = sha256_of_file(backup.path + "/" + file);
    if (!found) return damaged(found.error().what);
    if (*found != sum) return damaged(file + " has changed since it was made");
  }
  for (const std::string& file : files_below(backup.path))
    if (file != kManifestFile && !backup.manifest.checksums.contains(file))
      return damaged(file + " does not belong to it");
  return {};
}

Result<std::vector<Backup>> list_backups(const std::string& folder) {
  std::vector<Backup> backups;
  std::error_code failed;
  for (const auto& entry : fs::directory_iterator(folder, failed)) {
    if (!is_backup_name(entry.path().filename())) continue;
    auto backup = read_backup(entry.path());
    if (backup) backups.push_back(*std::move(backup));
  }
  if (failed)
    return fail(failed.value(), fmt::format("cannot read {}: {}", folder, failed.message()));
  std::ranges::sort(backups, {}, &Backup::name);
  return backups;
}

Result<Backup> find_backup(const std::string& path) {
  std::error_code ignored;
  const fs::path real = fs::weakly_canonical(fs::absolute(path), ignored);
  if (fs::exists(real / kManifestFile, ignored) || is_backup_name(real.filename()))
    return read_backup(real);
  TRY_ASSIGN(std::vector<Backup> backups, list_backups(real));
  if (!backups.empty()) return std::move(backups.back());
  return fail(ENOENT, fmt::format("there is no backup in {}", path), "tuskfs backup DIR makes one");
}

Result<std::vector<std::string>> prune_backups(const std::string& folder, int keep) {
  TRY_ASSIGN(const std::vector<Backup> backups, list_backups(folder));
  remove_unfinished(folder);
  std::vector<std::string> removed;
  for (std::size_t i = 0; i + static_cast<std::size_t>(keep) < backups.size(); i++) {
    // Hidden first: half a backup must not bear a backup's name.
    const std::string hidden = hidden_path(folder, backups[i].name);
    std::error_code failed;
    fs::rename(backups[i].path, hidden, failed);
    if (!failed) fs::remove_all(hidden, failed);
    if (failed)
      return fail(failed.value(),
                  fmt::format("cannot remove {}: {}", backups[i].path, failed.message()));
    removed.push_back(backups[i].name);
  }
  return removed;
}

}  // namespace tusk::store
