#include "scrub.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "sqlstate.h"

namespace tusk::store {
namespace {

constexpr std::int64_t kBeforeAll = std::numeric_limits<std::int64_t>::min();

// Where contents lie, and the key that pages go on from.
struct Place {
  const char* statement;
  const char* finding;
  int key_columns;  // id; id, version; id, version, chunk_no
};
constexpr Place kPlaces[] = {
    {"scrub_files", "scrub_file", 1},
    {"scrub_versions", "scrub_version", 2},
    {"scrub_chunks", "scrub_chunk", 3},
};

struct Key {
  Uuid id{};
  std::int64_t version = kBeforeAll, chunk = kBeforeAll;
};

// Columns: id, version, checksum, data, and of chunks their number.
Key key_of(const Row& row, const Place& place) {
  return {row.uuid(0), row.integer(1), place.key_columns > 2 ? row.integer(4) : kBeforeAll};
}

bool matches(const Row& row) {
  return std::ranges::equal(row.bytes(2), checksum_of(row.bytes(3)).bytes);
}

Finding finding_of(const Key& key, const Place& place) {
  std::string row = fmt::format(R"({{"file_id":"{}","version":{})", key.id.text(), key.version);
  if (place.key_columns > 2) row += fmt::format(R"(,"chunk_no":{})", key.chunk);
  return {place.finding, {}, row + "}", {}};
}

Result<std::int64_t> scrub(Connection& connection, const Place& place, TenantId tenant,
                           const FsckWatcher& watcher, std::int64_t before) {
  Key at;
  std::int64_t bytes = before;
  while (true) {
    Params params;
    params.add(at.id).add(tenant);
    if (place.key_columns > 1) params.add(at.version);
    if (place.key_columns > 2) params.add(at.chunk);
    const auto page = connection.run(place.statement, params);
    if (!page) return std::unexpected(setup_error(page.error()));
    if (page->rows() == 0) return bytes;
    for (int i = 0; i < page->rows(); i++) {
      at = key_of(page->row(i), place);
      bytes += static_cast<std::int64_t>(page->row(i).bytes(3).size());
      if (!matches(page->row(i))) watcher.found(finding_of(at, place));
    }
    if (watcher.scrubbed) watcher.scrubbed(bytes);
  }
}

}  // namespace

Result<std::int64_t> scrub(Connection& connection, TenantId tenant, const FsckWatcher& watcher) {
  std::int64_t bytes = 0;
  for (const Place& place : kPlaces) {
    TRY_ASSIGN(bytes, scrub(connection, place, tenant, watcher, bytes));
  }
  return bytes;
}

}  // namespace tusk::store
