#include "group_writer.h"

#include <fmt/format.h>

#include "batch.h"
#include "tuskfs/objects/objects.h"

namespace tusk::store {
namespace {

constexpr auto kBool = ElementType::boolean;
constexpr auto kBytes = ElementType::bytea;
constexpr auto kInt8 = ElementType::int8;
constexpr auto kText = ElementType::text;
constexpr auto kUuid = ElementType::uuid;

ByteSpan span_of(const SharedBytes& data) { return data ? ByteSpan(*data) : ByteSpan(); }

// As PostgreSQL writes an array; arrays of arrays of different lengths do not exist.
std::optional<std::string> holes_text(const FileRow& row) {
  if (row.form != Form::chunked || row.holes.empty()) return std::nullopt;
  std::string out = "{";
  for (const ChunkRange& hole : row.holes) {
    out += fmt::format("{}{},{}", out.size() > 1 ? "," : "", hole.first, hole.last);
  }
  return out + "}";
}

std::optional<ByteSpan> bytes_of(const std::optional<Checksum>& checksum) {
  if (!checksum) return std::nullopt;
  return ByteSpan(checksum->bytes);
}

std::optional<std::int64_t> deleted_ns(const FileChange& change) {
  if (change.trashed) return change.trashed->at.ns;
  if (change.orphan) return change.row.meta.ctime.ns;
  return std::nullopt;
}

std::optional<std::int64_t> deleted_by(const FileChange& change) {
  if (!change.trashed) return std::nullopt;
  return std::int64_t{change.trashed->by};
}

// Since when a row has its name: a new one since it was made.
template <class Row>
std::int64_t named_ns(const Row& row) {
  return row.renamed_at.ns != 0 ? row.renamed_at.ns : row.meta.ctime.ns;
}

std::optional<Checksum> checksum_of_content(const FileChange& change) {
  if (change.row.form == Form::chunked) return change.row.checksum;
  return checksum_of(span_of(change.data));
}

class RowWriter {
 public:
  RowWriter(Connection& connection, const Group& group, const Lease& lease, MimeTypes& mime)
      : connection_(connection), group_(group), lease_(lease), mime_(mime) {}

  PgExpected<void> clones();
  PgExpected<void> restores();
  PgExpected<void> shares();
  PgExpected<void> links(std::string_view statement, const std::vector<LinkRow>& rows);
  template <class IdType>
  PgExpected<void> ids(std::string_view statement, const std::vector<IdType>& rows);
  PgExpected<void> deleted_files();
  PgExpected<void> sustained();
  PgExpected<void> trashed(std::string_view statement, const std::vector<Trashed>& rows);
  PgExpected<void> ended_names(std::string_view statement, const std::vector<NameEnd>& rows);
  PgExpected<void> objects();
  PgExpected<void> folders();
  PgExpected<void> updated_files();
  PgExpected<void> kept_versions();
  PgExpected<void> upserted_files();
  PgExpected<void> xattrs();
  PgExpected<void> chunk_drops();
  PgExpected<void> chunk_puts();
  PgExpected<void> stagings();
  PgExpected<void> policy();

 private:
  std::optional<std::string> url_of(const FileRow& row) const {
    if (!row.object) return std::nullopt;
    return objects::url_in(lease_.objects_place, *row.object);
  }

  Connection& connection_;
  const Group& group_;
  const Lease& lease_;
  MimeTypes& mime_;
};

PgExpected<void> RowWriter::clones() {
  if (!group_.clones.empty()) TRY(connection_.queue("clone_freely", Params()));
  for (const Clone& clone : group_.clones) {
    const std::int64_t owner = clone.owner ? std::int64_t{*clone.owner} : -1;
    TRY(clone.is_folder
            ? connection_.queue("clone_tree", Params()
                                                  .add(lease_.attached.tenant)
                                                  .add(clone.source)
                                                  .add(clone.target)
                                                  .add(clone.at.ns)
                                                  .add(owner))
            : connection_.queue("clone_file",
                                Params().add(clone.source).add(clone.target).add(clone.version)));
  }
  return {};
}

PgExpected<void> RowWriter::restores() {
  for (const Restore& restore : group_.restores) {
    TRY(connection_.queue("restore_trashed", Params()
                                                 .add(restore.id)
                                                 .add(restore.folder)
                                                 .add(std::string_view(restore.name))
                                                 .add(restore.at.ns)));
  }
  return {};
}

PgExpected<void> RowWriter::shares() {
  // One statement, as all shares are to see the chunks as they were before.
  if (group_.chunk_shares.empty()) return {};
  BinaryArray target(kUuid), target_first(kInt8), target_version(kInt8), source(kUuid),
      source_first(kInt8), source_version(kInt8), count(kInt8);
  for (const ChunkShare& share : group_.chunk_shares) {
    target.add(share.target);
    target_first.add(share.target_first);
    target_version.add(share.target_version);
    source.add(share.source);
    source_first.add(share.source_first);
    source_version.add(share.source_version);
    count.add(share.count);
  }
  Params params;
  for (BinaryArray* column :
       {&target, &target_first, &target_version, &source, &source_first, &source_version, &count}) {
    params.add_view(column->finish());
  }
  return connection_.queue("share_chunks", params);
}

PgExpected<void> RowWriter::links(std::string_view statement, const std::vector<LinkRow>& rows) {
  Batch batch(connection_, statement, {kUuid, kUuid, kText, kInt8});
  for (const LinkRow& row : rows) {
    TRY(batch.add(row.file, row.folder, std::string_view(row.name), row.at.ns));
  }
  return batch.send();
}

template <class IdType>
PgExpected<void> RowWriter::ids(std::string_view statement, const std::vector<IdType>& rows) {
  Batch batch(connection_, statement, {kUuid});
  for (const IdType& row : rows) TRY(batch.add(row));
  return batch.send();
}

PgExpected<void> RowWriter::deleted_files() {
  if (group_.files_deleted.empty()) return {};
  BinaryArray ids(kUuid);
  for (const FileId id : group_.files_deleted) ids.add(id);
  Params params;
  params.add(lease_.epoch).add_view(ids.finish());
  return connection_.queue("delete_files", params);
}

PgExpected<void> RowWriter::sustained() {
  BinaryArray ids(kUuid);
  bool has_any = false;
  for (const FileChange& change : group_.files) {
    if (!change.orphan || !change.is_open) continue;
    ids.add(change.row.id);
    has_any = true;
  }
  if (!has_any) return {};
  Params params;
  params.add(lease_.attached.tenant).add(lease_.epoch).add_view(ids.finish());
  return connection_.queue("sustain", params);
}

PgExpected<void> RowWriter::trashed(std::string_view statement, const std::vector<Trashed>& rows) {
  Batch batch(connection_, statement, {kUuid, kInt8, kInt8});
  for (const Trashed& row : rows) {
    TRY(batch.add(row.id, row.deletion.at.ns, std::int64_t{row.deletion.by}));
  }
  return batch.send();
}

PgExpected<void> RowWriter::ended_names(std::string_view statement,
                                        const std::vector<NameEnd>& rows) {
  Batch batch(connection_, statement, {kUuid, kInt8});
  for (const NameEnd& row : rows) TRY(batch.add(row.id, row.at.ns));
  return batch.send();
}

PgExpected<void> RowWriter::objects() {
  Batch batch(connection_, "store_objects", {kUuid, kInt8, kText, kInt8, kBytes},
              lease_.attached.tenant);
  for (const ObjectWrite& write : group_.object_writes) {
    const std::string url = objects::url_in(lease_.objects_place, write.object);
    TRY(batch.add(write.object, lease_.epoch, std::string_view(url),
                  static_cast<std::int64_t>(write.finish->size), ByteSpan(write.sums)));
  }
  return batch.send();
}

PgExpected<void> RowWriter::folders() {
  Batch batch(connection_, "upsert_folders",
              {kUuid, kUuid, kText, kInt8, kInt8, kInt8, kInt8, kInt8, kInt8, kInt8, kInt8, kBool},
              lease_.attached.tenant);
  for (const FolderRow& row : group_.folders) {
    const Meta& m = row.meta;
    TRY(batch.add(row.id, row.parent, std::string_view(row.name), std::int64_t{m.mode},
                  std::int64_t{m.uid}, std::int64_t{m.gid}, std::int64_t{m.nlink}, m.atime.ns,
                  m.mtime.ns, m.ctime.ns, named_ns(row), m.has_xattrs));
  }
  return batch.send();
}

PgExpected<void> RowWriter::updated_files() {
  Batch batch(connection_, "update_files",
              {kUuid, kUuid, kText, kInt8, kInt8, kInt8,  kInt8, kInt8, kInt8, kInt8, kInt8,
               kBool, kInt8, kInt8, kInt8, kText, kBytes, kInt8, kInt8, kInt8, kText, kBool});
  for (const FileChange& change : group_.files) {
    if (change.has_content) continue;
    const FileRow& row = change.row;
    const Meta& m = row.meta;
    TRY(batch.add(row.id, row.folder, std::string_view(row.name), std::int64_t{m.mode},
                  std::int64_t{m.uid}, std::int64_t{m.gid}, std::int64_t{m.nlink}, m.atime.ns,
                  m.mtime.ns, m.ctime.ns, named_ns(row), m.has_xattrs,
                  static_cast<std::int64_t>(m.rdev), static_cast<std::int64_t>(row.size),
                  row.version, holes_text(row), bytes_of(row.checksum), row.content_at.ns,
                  deleted_ns(change), deleted_by(change), mime_.by_name(m.mode, row.name),
                  row.form == Form::chunked));
  }
  return batch.send();
}

PgExpected<void> RowWriter::kept_versions() {
  Batch batch(connection_, "keep_versions", {kUuid, kInt8, kBytes});
  for (const FileChange& change : group_.files) {
    if (!change.previous_until) continue;
    const auto checksum = checksum_of_content(change);
    TRY(batch.add(change.row.id, change.previous_until->ns, bytes_of(checksum)));
  }
  return batch.send();
}

PgExpected<void> RowWriter::upserted_files() {
  Batch batch(connection_, "upsert_files",
              {kUuid, kUuid, kText, kInt8, kInt8,  kInt8, kInt8, kInt8, kInt8, kInt8,  kInt8, kBool,
               kInt8, kInt8, kInt8, kText, kBytes, kInt8, kInt8, kInt8, kText, kBytes, kText},
              lease_.attached.tenant);
  for (const FileChange& change : group_.files) {
    if (!change.has_content) continue;
    const FileRow& row = change.row;
    const Meta& m = row.meta;
    const bool is_inline = row.form == Form::inline_data;
    const ByteSpan data = span_of(change.data);
    const std::optional<Checksum> checksum = checksum_of_content(change);
    TRY(batch.add(row.id, row.folder, std::string_view(row.name), std::int64_t{m.mode},
                  std::int64_t{m.uid}, std::int64_t{m.gid}, std::int64_t{m.nlink}, m.atime.ns,
                  m.mtime.ns, m.ctime.ns, named_ns(row), m.has_xattrs,
                  static_cast<std::int64_t>(m.rdev), static_cast<std::int64_t>(row.size),
                  row.version, holes_text(row), bytes_of(checksum), row.content_at.ns,
                  deleted_ns(change), deleted_by(change),
                  mime_.by_content(m.mode, row.name, is_inline ? data : span_of(change.head)),
                  is_inline ? std::optional(data) : std::nullopt, url_of(row)));
  }
  return batch.send();
}

PgExpected<void> RowWriter::xattrs() {
  Batch set(connection_, "set_xattrs", {kUuid, kText, kBytes});
  for (const XattrRow& row : group_.xattrs_set) {
    TRY(set.add(row.owner, std::string_view(row.name), ByteSpan(row.value)));
  }
  TRY(set.send());
  Batch remove(connection_, "remove_xattrs", {kUuid, kText});
  for (const XattrRow& row : group_.xattrs_removed) {
    TRY(remove.add(row.owner, std::string_view(row.name)));
  }
  return remove.send();
}

PgExpected<void> RowWriter::chunk_drops() {
  Batch batch(connection_, "drop_chunks", {kUuid, kInt8, kInt8, kInt8, kInt8},
              lease_.attached.tenant);
  for (const ChunkDrop& drop : group_.chunk_drops) {
    TRY(batch.add(drop.file, drop.range.first, drop.range.last, drop.from, drop.below));
  }
  return batch.send();
}

PgExpected<void> RowWriter::chunk_puts() {
  Batch clear(connection_, "clear_chunks", {kUuid, kInt8, kInt8});
  for (const ChunkPut& put : group_.chunk_puts) {
    TRY(clear.add(put.file, put.chunk, put.version));
  }
  TRY(clear.send());
  Batch batch(connection_, "put_chunks", {kUuid, kInt8, kInt8, kBytes, kBytes});
  for (const ChunkPut& put : group_.chunk_puts) {
    const ByteSpan data = span_of(put.data);
    const Checksum checksum = checksum_of(data);
    TRY(batch.add(put.file, put.chunk, put.version, ByteSpan(checksum.bytes), data));
  }
  return batch.send();
}

PgExpected<void> RowWriter::stagings() {
  Batch stage(connection_, "stage", {kUuid, kInt8, kInt8}, lease_.attached.tenant);
  Batch unstage(connection_, "unstage", {kUuid, kInt8});
  for (const Staging& staging : group_.stagings) {
    TRY(staging.staged ? stage.add(staging.file, staging.version, lease_.epoch)
                       : unstage.add(staging.file, staging.version));
  }
  TRY(stage.send());
  return unstage.send();
}

PgExpected<void> RowWriter::policy() {
  if (!group_.policy) return {};
  BinaryArray keys(kText), values(kInt8);
  for (const auto& [key, value] : *group_.policy) {
    keys.add(std::string_view(key));
    values.add(value);
  }
  Params params;
  params.add(lease_.attached.tenant).add_view(keys.finish()).add_view(values.finish());
  return connection_.queue("set_policy", params);
}

}  // namespace

PgExpected<void> write_rows(Connection& connection, const Group& group, const Lease& lease,
                            MimeTypes& mime) {
  mime.start_group(std::chrono::steady_clock::now());
  RowWriter writer(connection, group, lease, mime);
  TRY(writer.clones());
  TRY(writer.shares());
  TRY(writer.links("remove_links", group.links_removed));
  TRY(writer.deleted_files());
  TRY(writer.ids("delete_folders", group.folders_deleted));
  TRY(writer.trashed("trash_files", group.files_trashed));
  TRY(writer.trashed("trash_folders", group.folders_trashed));
  TRY(writer.ended_names("end_file_names", group.file_names_ended));
  TRY(writer.ended_names("end_folder_names", group.folder_names_ended));
  TRY(writer.ids("vacate_files", group.files_vacated));
  TRY(writer.ids("vacate_folders", group.folders_vacated));
  TRY(writer.objects());
  TRY(writer.folders());
  TRY(writer.restores());
  TRY(writer.updated_files());
  TRY(writer.kept_versions());
  TRY(writer.upserted_files());
  TRY(writer.links("add_links", group.links_added));
  TRY(writer.xattrs());
  TRY(writer.chunk_drops());
  TRY(writer.chunk_puts());
  TRY(writer.stagings());
  TRY(writer.sustained());
  return writer.policy();
}

}  // namespace tusk::store
