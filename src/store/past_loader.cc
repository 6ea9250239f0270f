#include "past_loader.h"

#include <cerrno>

#include "past_content.h"
#include "rows_reader.h"
#include "tuskfs/base/log.h"

namespace tusk::store::past {
namespace {

// Not below any name: 255 bytes of the greatest character there is, and one more.
const std::string& above_all_names() {
  static const std::string text = [] {
    std::string all;
    for (int i = 0; i < 64; i++) all += "\xf4\x8f\xbf\xbf";
    return all;
  }();
  return text;
}

// The range that holds one name, or all of them.
Params& add_range(Params& params, const std::string& name) {
  params.add(std::string_view(name));
  return params.add(std::string_view(name.empty() ? above_all_names() : name));
}

PastItem read_item(const Row& row) {
  constexpr int kIsFolder = 19, kUntil = 20, kDeletedBy = 21;
  PastItem item;
  item.is_folder = row.boolean(kIsFolder);
  item.until = {row.integer(kUntil)};
  if (!row.is_null(kDeletedBy)) item.deleted_by = static_cast<uid_t>(row.integer(kDeletedBy));
  if (!item.is_folder) {
    item.row = read_file(row);
    return item;
  }
  FolderRow folder = read_folder(row);
  item.row.id = {folder.id.uuid};
  item.row.folder = folder.parent;
  item.row.name = std::move(folder.name);
  item.row.meta = folder.meta;
  item.row.damaged = folder.damaged;
  return item;
}

Result<PgResult> ask(Loader& loader, std::string_view statement, const Params& params) {
  TRY_ASSIGN(auto results, loader.ask({{statement, params}}));
  return std::move(results[0]);
}

Result<PastItems> items(Loader& loader, std::string_view statement, const Params& params) {
  TRY_ASSIGN(const PgResult result, ask(loader, statement, params));
  PastItems out;
  out.reserve(static_cast<std::size_t>(result.rows()));
  for (int i = 0; i < result.rows(); i++) out.push_back(read_item(result.row(i)));
  return out;
}

// Bounds as the parallel arrays that statements take.
class BoundArrays {
 public:
  explicit BoundArrays(const std::vector<PastBound>& bounds) {
    for (const PastBound& each : bounds) {
      ids_.add(each.id);
      untils_.add(each.until.ns);
    }
  }
  Params params() {
    Params params;
    params.add_view(ids_.finish()).add_view(untils_.finish());
    return params;
  }

 private:
  BinaryArray ids_{ElementType::uuid}, untils_{ElementType::int8};
};

template <class T>
Result<T> logged(Result<T> result) {
  if (!result && result.error().code == EIO) log::error("{}", result.error().what);
  return result;
}

VersionContent content_of(const FileRow& row) {
  return {row.id, row.version, row.size, row.holes, row.checksum, row.object};
}

}  // namespace

Result<std::optional<FolderRow>> root(Loader& loader, TenantId tenant, WallTime at) {
  TRY_ASSIGN(const PgResult found, ask(loader, "past_root", Params().add(tenant).add(at.ns)));
  if (found.rows() == 0) return std::nullopt;
  return read_folder(found.row(0));
}

Result<PastItems> moment_folder(Loader& loader, FolderId folder, WallTime at,
                                const std::string& name) {
  Params params = Params().add(folder).add(at.ns);
  return items(loader, "moment_folder", add_range(params, name));
}

Result<PastItems> history_folders(Loader& loader, const std::vector<PastBound>& folders,
                                  const std::string& name) {
  BoundArrays arrays(folders);
  Params params = arrays.params();
  return items(loader, "history_folders", add_range(params, name));
}

Result<PastItems> history_versions(Loader& loader, const std::vector<PastBound>& files) {
  BoundArrays arrays(files);
  return items(loader, "history_versions", arrays.params());
}

Result<PastItems> trash_tops(Loader& loader, TenantId tenant) {
  return items(loader, "trash_tops", Params().add(tenant));
}

Result<PastItems> trash_folder(Loader& loader, FolderId folder) {
  return items(loader, "trash_folder", Params().add(folder));
}

Result<std::string> path(Loader& loader, Uuid id) {
  TRY_ASSIGN(const PgResult found, ask(loader, "past_path", Params().add(id)));
  if (found.rows() == 0 || found.row(0).is_null(0)) return fail(ENOENT, "it is gone");
  return std::string(found.row(0).text(0));
}

Result<std::vector<Snapshot>> snapshots(Loader& loader, TenantId tenant, const std::string& name) {
  Params params = Params().add(tenant);
  TRY_ASSIGN(const PgResult found, ask(loader, "past_snapshots", add_range(params, name)));
  std::vector<Snapshot> out;
  for (int i = 0; i < found.rows(); i++) {
    out.push_back({std::string(found.row(i).text(0)), {found.row(i).integer(1)}});
  }
  return out;
}

Result<void> take_snapshot(Loader& loader, TenantId tenant, const Snapshot& snapshot) {
  const Params params =
      Params().add(tenant).add(std::string_view(snapshot.name)).add(snapshot.taken_at.ns);
  TRY_ASSIGN(const PgResult taken, ask(loader, "snapshot_at", params));
  if (taken.rows() == 0) return fail(EEXIST, "there is a snapshot of that name already");
  return {};
}

Result<void> remove_snapshot(Loader& loader, TenantId tenant, const std::string& name) {
  const Params params = Params().add(tenant).add(std::string_view(name));
  TRY_ASSIGN(const PgResult removed, ask(loader, "forget_snapshot", params));
  if (removed.rows() == 0) return fail(ENOENT, "there is no snapshot of that name");
  return {};
}

Result<void> purge_trashed(Loader& loader, TenantId tenant, Uuid id) {
  TRY_ASSIGN(const PgResult purged, ask(loader, "purge_trashed", Params().add(tenant).add(id)));
  const std::string_view outcome = purged.row(0).text(0);
  if (outcome == "gone") return fail(ENOENT, "it is not in the trash");
  if (outcome == "not empty") return fail(ENOTEMPTY, "the folder is not empty");
  if (outcome == "in use") return fail(EBUSY, "a snapshot or an application needs it");
  return {};
}

Result<SharedBytes> inline_content(Loader& loader, const FileRow& row) {
  return logged(inline_content_of(loader, content_of(row)));
}

Result<std::vector<SharedBytes>> chunks(Tiers& tiers, Loader& loader, const FileRow& row,
                                        ChunkRange range) {
  return logged(chunks_of(tiers, loader, content_of(row), range));
}

}  // namespace tusk::store::past
