#include "object_audit.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

#include "object_sums.h"
#include "sqlstate.h"

namespace tusk::store {
namespace {

constexpr std::int64_t kChunksAtOnce = 64;
constexpr std::size_t kIdsAtOnce = 1000;

Result<PgResult> run(Connection& connection, std::string_view statement, const Params& params) {
  auto result = connection.run(statement, params);
  if (!result) return std::unexpected(setup_error(result.error()));
  return std::move(*result);
}

Result<Sums> sums_of(Connection& connection, Uuid id, std::int64_t first) {
  TRY_ASSIGN(const PgResult found,
             run(connection, "object_sums", Params().add(id).add(first).add(kChunksAtOnce)));
  if (found.rows() == 0 || found.row(0).is_null(0)) return Sums{};
  return unpacked(found.row(0).bytes(0));
}

}  // namespace

Result<ObjectAudit> ObjectAudit::begin(std::unique_ptr<objects::StoredObjects> objects) {
  ObjectAudit audit;
  TRY(objects->list(
      [&audit](const objects::Listed& each) { audit.listed_[each.id] = each.bytes; }));
  audit.objects_ = std::move(objects);
  return audit;
}

Finding ObjectAudit::finding(const char* check, Uuid id, const std::string& remedy) const {
  return {check,
          {},
          fmt::format(R"({{"object_id":"{}","url":"{}"}})", id.text(), objects_->url(id)),
          remedy};
}

Result<std::vector<ObjectAudit::Stored>> ObjectAudit::stored(Connection& connection,
                                                             TenantId tenant) {
  std::vector<Stored> all;
  Uuid after{};
  while (true) {
    TRY_ASSIGN(const PgResult page,
               run(connection, "stored_objects", Params().add(tenant).add(after)));
    if (page.rows() == 0) return all;
    for (int i = 0; i < page.rows(); i++) {
      after = page.row(i).uuid(0);
      all.push_back({after, static_cast<std::uint64_t>(page.row(i).integer(1))});
    }
  }
}

Result<bool> ObjectAudit::is_there(Uuid id) {
  TRY_ASSIGN(const auto size, objects_->size(id));
  return size.has_value();
}

Result<void> ObjectAudit::find_missing(const std::vector<Stored>& stored,
                                       const std::function<void(const Finding&, bool)>& tell) {
  for (const Stored& each : stored) {
    const auto found = listed_.find(each.id);
    if (found != listed_.end()) {
      if (found->second < objects_->stored_bytes(each.size))
        tell(finding("object_cut_short", each.id), true);
      continue;
    }
    TRY_ASSIGN(const bool there, is_there(each.id));
    if (!there) tell(finding("object_missing", each.id), true);
  }
  return {};
}

Result<void> ObjectAudit::compare(Connection& connection, TenantId tenant, bool repair,
                                  const std::function<void(const Finding&, bool is_left)>& tell) {
  TRY_ASSIGN(const std::vector<Stored> rows, stored(connection, tenant));
  TRY(find_missing(rows, tell));
  std::vector<Uuid> ids;
  for (const auto& [id, bytes] : listed_) ids.push_back(id);
  for (std::size_t first = 0; first < ids.size(); first += kIdsAtOnce) {
    const std::span part(ids.begin() + static_cast<std::ptrdiff_t>(first),
                         std::min(kIdsAtOnce, ids.size() - first));
    BinaryArray array(ElementType::uuid);
    for (const Uuid& id : part) array.add(id);
    Params params;
    params.add_view(array.finish());
    TRY_ASSIGN(const PgResult found, run(connection, "known_objects", params));
    std::vector<Uuid> known;
    for (int i = 0; i < found.rows(); i++) known.push_back(found.row(i).uuid(0));
    std::ranges::sort(known);
    for (const Uuid& id : part) {
      if (std::ranges::binary_search(known, id)) continue;
      TRY_ASSIGN(const bool there, is_there(id));
      if (!there) continue;
      if (repair) TRY(objects_->remove(id));
      tell(finding("object_of_nobody", id, "removes the object"), !repair);
    }
  }
  return {};
}

Result<std::int64_t> ObjectAudit::scrub(Connection& connection, TenantId tenant,
                                        objects::Objects& contents, const FsckWatcher& watcher,
                                        std::int64_t before) {
  TRY_ASSIGN(const std::vector<Stored> rows, stored(connection, tenant));
  std::int64_t bytes = before;
  Buffer piece(kChunksAtOnce * kChunkBytes);
  for (const Stored& each : rows) {
    bool sound = true;
    for (std::uint64_t at = 0; at < each.size && sound; at += piece.size()) {
      const auto read = contents.read(each.id, at, piece);
      if (!read && read.error().code == ENOENT) break;  // told of as missing
      if (!read && read.error().code == EIO) {
        sound = false;
        break;
      }
      if (!read) return std::unexpected(read.error());
      const auto first = static_cast<std::int64_t>(at / kChunkBytes);
      TRY_ASSIGN(const Sums sums, sums_of(connection, each.id, first));
      const std::size_t have = std::min<std::size_t>(*read, each.size - at);
      for (std::size_t from = 0; from < have; from += kChunkBytes) {
        const ByteSpan chunk = ByteSpan(piece).subspan(from, std::min(have - from, kChunkBytes));
        const std::size_t n = from / kChunkBytes;
        sound = sound && n < sums.size() && sums[n] == sum_of_chunk(chunk);
      }
      bytes += static_cast<std::int64_t>(have);
      if (watcher.scrubbed) watcher.scrubbed(bytes);
    }
    if (!sound) watcher.found(finding("scrub_object", each.id));
  }
  return bytes;
}

}  // namespace tusk::store
