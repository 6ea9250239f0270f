#include "tuskfs/store/history.h"

#include <algorithm>
#include <cerrno>

#include "connection.h"
#include "loader.h"
#include "object_collector.h"
#include "object_place.h"
#include "past_content.h"
#include "session.h"
#include "sqlstate.h"

namespace tusk::store {
namespace {

constexpr std::int64_t kChunksAtOnce = 64;

std::vector<ChunkRange> pairs_of(const std::vector<std::int64_t>& numbers) {
  std::vector<ChunkRange> ranges;
  for (std::size_t i = 0; i + 1 < numbers.size(); i += 2)
    ranges.push_back({numbers[i], numbers[i + 1]});
  return ranges;
}

PastEntry read_entry(const Row& row) {
  return {row.uuid(0), row.boolean(1), std::string(row.text(2))};
}

PastVersion read_version(const Row& row) {
  PastVersion version;
  version.version = row.integer(0);
  version.size = static_cast<std::uint64_t>(row.integer(1));
  version.since = {row.integer(2)};
  if (!row.is_null(3)) version.until = WallTime{row.integer(3)};
  version.mtime = {row.integer(4)};
  version.uid = static_cast<uid_t>(row.integer(5));
  version.mode = static_cast<mode_t>(row.integer(6));
  version.form = row.boolean(7) ? Form::chunked : Form::inline_data;
  if (!row.is_null(8)) version.holes = pairs_of(row.integers(8).value_or(std::vector<int64_t>{}));
  if (!row.is_null(9) && row.bytes(9).size() == sizeof(Checksum::bytes)) {
    Checksum checksum;
    std::ranges::copy(row.bytes(9), checksum.bytes.begin());
    version.checksum = checksum;
  }
  version.object = objects::id_in(row.text(10));
  version.why = row.text(11);
  if (version.why == "restored") version.same_as = row.integer(12);
  return version;
}

std::uint64_t size_or_zero(const Row& row, int column) {
  return row.is_null(column) ? 0 : static_cast<std::uint64_t>(row.integer(column));
}

std::string text_or_empty(const Row& row, int column) {
  return row.is_null(column) ? std::string() : std::string(row.text(column));
}

NameEvent read_event(const Row& row) {
  NameEvent event{
      {row.integer(0)}, std::string(row.text(1)), text_or_empty(row, 2), text_or_empty(row, 3), {}};
  if (!row.is_null(4)) event.by = static_cast<uid_t>(row.integer(4));
  return event;
}

TreeDifference read_difference(const Row& row) {
  return {std::string(row.text(0)),
          row.boolean(1),
          std::string(row.text(2)),
          text_or_empty(row, 3),
          size_or_zero(row, 4),
          size_or_zero(row, 5),
          row.boolean(6)};
}

class HistoryImpl final : public History {
 public:
  HistoryImpl(std::unique_ptr<ConnectionContext> context, std::unique_ptr<Connection> connection,
              objects::Access access, std::string tenant, TenantId tenant_id)
      : context_(std::move(context)),
        connection_(std::move(connection)),
        loader_(*context_),
        tenant_(std::move(tenant)),
        tenant_id_(tenant_id),
        access_(std::move(access)) {}

  Result<std::optional<PastEntry>> resolve(const std::string& path, WallTime at) override {
    TRY_ASSIGN(const PgResult found,
               ask("resolve_at",
                   Params().add(std::string_view(path)).add(at.ns).add(std::string_view(tenant_))));
    if (found.rows() == 0) return std::nullopt;
    return read_entry(found.row(0));
  }

  Result<std::optional<WallTime>> last_seen(const std::string& path) override {
    TRY_ASSIGN(
        const PgResult found,
        ask("last_seen", Params().add(std::string_view(path)).add(std::string_view(tenant_))));
    if (found.rows() == 0 || found.row(0).is_null(0)) return std::nullopt;
    return WallTime{found.row(0).integer(0)};
  }

  Result<std::vector<PastEntry>> folder(FolderId folder, WallTime at) override {
    return all<PastEntry>("folder_at", Params().add(folder).add(at.ns), read_entry);
  }

  Result<std::vector<PastVersion>> versions(FileId file) override {
    return all<PastVersion>("list_versions", Params().add(file), read_version);
  }

  Result<Meta> folder_meta(FolderId folder) override {
    TRY_ASSIGN(const PgResult found, ask("folder_meta", Params().add(folder)));
    if (found.rows() == 0) return fail(ENOENT, "the folder is gone for good");
    const Row row = found.row(0);
    Meta meta;
    meta.mode = static_cast<mode_t>(row.integer(0));
    meta.uid = static_cast<uid_t>(row.integer(1));
    meta.gid = static_cast<gid_t>(row.integer(2));
    meta.mtime = {row.integer(3)};
    return meta;
  }

  Result<std::vector<XattrRow>> xattrs(Uuid owner) override { return loader_.xattrs(owner); }

  Result<void> read(FileId file, const PastVersion& version, const Sink& sink) override;

  Result<std::vector<NameEvent>> events(FileId file) override {
    return all<NameEvent>("list_events", Params().add(file), read_event);
  }

  Result<std::vector<TreeDifference>> diff(const Side& from, const Side& to) override {
    TRY(ask("work_freely", Params()));
    return all<TreeDifference>(
        "tree_diff",
        Params().add(tenant_id_).add(from.folder).add(to.folder).add(from.at.ns).add(to.at.ns),
        read_difference);
  }

  Result<std::vector<SpaceUsed>> space_used(const PastEntry& entry) override {
    TRY(ask("work_freely", Params()));
    return all<
        SpaceUsed>("disk_usage", Params().add(entry.id).add(entry.is_folder), [](const Row& row) {
      return SpaceUsed{std::string(row.text(0)), row.integer(1), row.integer(2), row.integer(3)};
    });
  }

  Result<std::vector<TrashEntry>> trash() override {
    return all<TrashEntry>("list_trash", Params().add(std::string_view(tenant_)),
                           [](const Row& row) {
                             return TrashEntry{std::string(row.text(0)),
                                               row.boolean(1),
                                               static_cast<std::uint64_t>(row.integer(2)),
                                               {row.integer(3)},
                                               static_cast<uid_t>(row.integer(4))};
                           });
  }

  Result<std::vector<Snapshot>> snapshots() override {
    return all<Snapshot>("list_snapshots", Params().add(std::string_view(tenant_)),
                         [](const Row& row) {
                           return Snapshot{std::string(row.text(0)), {row.integer(1)}};
                         });
  }

  Result<void> remove_snapshot(const std::string& name) override {
    TRY_ASSIGN(const PgResult removed, ask("remove_snapshot", of_snapshot(name)));
    if (removed.rows() == 0) return fail(ENOENT, "there is no snapshot '" + name + "'");
    return {};
  }

  Result<Collected> collect_garbage(std::chrono::seconds object_grace) override {
    Collected sum;
    bool has_more = true;
    while (has_more) {
      TRY_ASSIGN(const PgResult done, ask("collect_garbage", Params().add(tenant_id_)));
      const Row row = done.row(0);
      sum.files += row.integer(0);
      sum.folders += row.integer(1);
      sum.versions += row.integer(2);
      // Folders that went may have been all that others held.
      has_more = row.boolean(3) || row.integer(1) > 0;
    }
    TRY_ASSIGN(const auto objects, open_stored_objects(*connection_, tenant_id_));
    if (!objects) return sum;
    TRY_ASSIGN(sum.objects, collect_objects(*connection_, *objects, tenant_id_, object_grace,
                                            [] { return true; }));
    return sum;
  }

 private:
  Result<PgResult> ask(std::string_view statement, const Params& params) {
    auto result = connection_->run(statement, params);
    if (!result) return std::unexpected(setup_error(result.error()));
    return std::move(*result);
  }

  template <class T, class Fn>
  Result<std::vector<T>> all(std::string_view statement, const Params& params, Fn read_row) {
    TRY_ASSIGN(const PgResult result, ask(statement, params));
    std::vector<T> rows;
    for (int i = 0; i < result.rows(); i++) rows.push_back(read_row(result.row(i)));
    return rows;
  }

  Params of_snapshot(const std::string& name) const {
    return Params().add(std::string_view(tenant_)).add(std::string_view(name));
  }

  Result<void> read_chunks(FileId file, const PastVersion& version, const Sink& sink);

  // Not before they are needed: without them there is still all the rest.
  Result<void> open_tiers() {
    if (tiers_) return {};
    TRY_ASSIGN(auto objects, open_noted_objects(*connection_, tenant_id_, access_));
    tiers_.emplace(std::move(objects), lease_);
    return {};
  }

  std::unique_ptr<ConnectionContext> context_;
  std::unique_ptr<Connection> connection_;
  Loader loader_;
  const std::string tenant_;
  const TenantId tenant_id_;
  const Lease lease_{};
  const objects::Access access_;
  std::optional<Tiers> tiers_;  // once a content has been asked for
};

VersionContent content_of(FileId file, const PastVersion& version) {
  return {file, version.version, version.size, version.holes, version.checksum, version.object};
}

Result<void> HistoryImpl::read(FileId file, const PastVersion& version, const Sink& sink) {
  if (version.form == Form::inline_data) {
    TRY_ASSIGN(const SharedBytes data, inline_content_of(loader_, content_of(file, version)));
    return sink(*data);
  }
  return read_chunks(file, version, sink);
}

Result<void> HistoryImpl::read_chunks(FileId file, const PastVersion& version, const Sink& sink) {
  TRY(open_tiers());
  const VersionContent content = content_of(file, version);
  const std::int64_t end =
      static_cast<std::int64_t>((version.size + kChunkBytes - 1) / kChunkBytes);
  Buffer piece;
  for (std::int64_t first = 0; first < end; first += kChunksAtOnce) {
    const ChunkRange range{first, std::min(first + kChunksAtOnce, end)};
    TRY_ASSIGN(const auto chunks, chunks_of(*tiers_, loader_, content, range));
    for (std::size_t i = 0; i < chunks.size(); i++) {
      const std::uint64_t offset = (static_cast<std::uint64_t>(first) + i) * kChunkBytes;
      piece.assign(std::min(kChunkBytes, version.size - offset), 0);
      if (chunks[i]) {
        std::copy_n(chunks[i]->begin(), std::min(chunks[i]->size(), piece.size()), piece.begin());
      }
      TRY(sink(piece));
    }
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<History>> History::open(const std::string& conninfo,
                                               const std::string& tenant,
                                               const objects::Access& access) {
  auto context = std::make_unique<ConnectionContext>();
  context->conninfo = conninfo;
  TRY_ASSIGN(auto connection, open_first_session(*context));
  TRY_ASSIGN(const TenantId id, find_tenant(*connection, tenant));
  return std::make_unique<HistoryImpl>(std::move(context), std::move(connection), access, tenant,
                                       id);
}

}  // namespace tusk::store
