#include "backup_objects.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>

#include "object_place.h"
#include "sqlstate.h"

namespace tusk::store {
namespace {

namespace fs = std::filesystem;

Result<PgResult> run(Connection& connection, std::string_view statement,
                     const Params& params = {}) {
  auto result = connection.run(statement, params);
  if (!result) return std::unexpected(setup_error(result.error()));
  return std::move(*result);
}

Result<void> make_folder(const fs::path& folder) {
  std::error_code failed;
  fs::create_directories(folder, failed);
  if (failed) return fail(failed.value(), fmt::format("cannot make {}", folder.string()));
  fs::permissions(folder, fs::perms::owner_all, failed);
  return {};
}

// Objects never change, so one that a backup has is as good as the one in use.
bool link_from(const std::optional<Backup>& previous, const std::string& name,
               const fs::path& target, Manifest& manifest) {
  if (!previous) return false;
  const auto sum = previous->manifest.checksums.find(name);
  if (sum == previous->manifest.checksums.end()) return false;
  std::error_code failed;
  fs::create_hard_link(fs::path(previous->path) / name, target, failed);
  if (failed) return false;
  manifest.checksums[name] = sum->second;
  return true;
}

objects::Options place_in(const std::string& backup, TenantId tree) {
  return {.location = fs::absolute(fs::path(backup) / kObjectsFolder), .tree = tree};
}

class Copier {
 public:
  Copier(Connection& connection, const std::string& path, const std::optional<Backup>& previous,
         Manifest& manifest)
      : connection_(connection), path_(path), previous_(previous), manifest_(manifest) {}

  Result<void> copy_tree(TenantId tenant) {
    TRY_ASSIGN(const auto objects, open_stored_objects(connection_, tenant));
    if (!objects) return {};
    const std::string place = fmt::format("{}/{}", kObjectsFolder, tenant.uuid.text());
    Uuid after{};
    while (true) {
      TRY_ASSIGN(const PgResult page,
                 run(connection_, "referenced_objects", Params().add(tenant).add(after)));
      if (page.rows() == 0) return {};
      // A place like any other, so that a trial restore may read it where it is.
      TRY(objects::open_copies(place_in(path_, tenant), *objects));
      for (int i = 0; i < page.rows(); i++) {
        after = page.row(i).uuid(0);
        TRY(copy(*objects, after, objects::url_in(place, after)));
      }
    }
  }

 private:
  Result<void> copy(objects::StoredObjects& objects, Uuid id, const std::string& name) {
    const fs::path target = fs::path(path_) / name;
    TRY(make_folder(target.parent_path()));
    if (link_from(previous_, name, target, manifest_)) return {};
    return objects.save_as(id, target);
  }

  Connection& connection_;
  const std::string& path_;
  const std::optional<Backup>& previous_;
  Manifest& manifest_;
};

fs::path folder_of(const Backup& backup, TenantId tree) {
  return fs::path(backup.path) / kObjectsFolder / tree.uuid.text();
}

std::vector<TenantId> trees_with_objects(const Backup& backup) {
  std::vector<TenantId> trees;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(fs::path(backup.path) / kObjectsFolder, none)) {
    if (const auto id = Uuid::parse(entry.path().filename().native())) trees.push_back({*id});
  }
  return trees;
}

}  // namespace

bool has_objects(const Backup& backup) { return !trees_with_objects(backup).empty(); }

Result<void> hold_objects(Connection& connection) {
  TRY(run(connection, "hold_objects"));
  return {};
}

Result<void> copy_objects(Connection& connection, const std::string& path,
                          const std::optional<Backup>& previous, Manifest& manifest) {
  TRY_ASSIGN(const PgResult trees, run(connection, "all_tenants"));
  Copier copier(connection, path, previous, manifest);
  for (int i = 0; i < trees.rows(); i++) TRY(copier.copy_tree({trees.row(i).uuid(0)}));
  return {};
}

Result<void> restore_objects(const Backup& backup, const std::string& location) {
  for (const TenantId tree : trees_with_objects(backup)) {
    TRY_ASSIGN(const auto source, objects::open_stored(place_in(backup.path, tree), false));
    TRY_ASSIGN(const auto objects,
               objects::open_copies({.location = location, .tree = tree}, *source));
    for (const auto& entry : fs::recursive_directory_iterator(folder_of(backup, tree))) {
      const auto id = objects::id_in(entry.path().native());
      if (id && entry.is_regular_file()) TRY(objects->restore_from(*id, entry.path()));
    }
  }
  return {};
}

Result<void> note_objects(Connection& connection, const Backup& backup,
                          const std::string& location) {
  TRY(run(connection, "forget_unreferenced"));
  TRY(run(connection, "forget_places"));
  for (const TenantId tree : trees_with_objects(backup)) {
    const std::string place = objects::place_of({.location = location, .tree = tree});
    TRY(run(connection, "move_objects", Params().add(tree).add(std::string_view(place))));
  }
  return {};
}

}  // namespace tusk::store
