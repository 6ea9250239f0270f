#include "tree_quota.h"

namespace tusk::store {
namespace {

std::optional<std::int64_t> limit_in(const Row& row, int column) {
  return row.is_null(column) ? std::nullopt : std::optional(row.integer(column));
}

}  // namespace

PgExpected<Quota> load_quota(Connection& connection, TenantId tenant) {
  auto found = connection.run("tree_quota", Params().add(tenant));
  if (!found) return std::unexpected(std::move(found).error());
  if (found->rows() == 0) return Quota{};  // the tree is gone
  return Quota{limit_in(found->row(0), 0), limit_in(found->row(0), 1)};
}

}  // namespace tusk::store
