#include "object_collector.h"

#include "codec.h"
#include "sqlstate.h"

namespace tusk::store {
namespace {

Result<PgResult> run(Connection& connection, std::string_view statement,
                     const Params& params = {}) {
  auto result = connection.run(statement, params);
  if (!result) return std::unexpected(setup_error(result.error()));
  return std::move(*result);
}

// Those of one batch; 0: no more.
Result<std::int64_t> collect_batch(Connection& connection, objects::StoredObjects& objects,
                                   const Params& wanted, const std::function<bool()>& go_on) {
  TRY_ASSIGN(const PgResult found, run(connection, "drop_objects", wanted));
  BinaryArray gone(ElementType::uuid);
  std::int64_t count = 0;
  std::optional<Error> failed;
  for (; count < found.rows() && !failed && go_on(); count++) {
    const Uuid id = found.row(static_cast<int>(count)).uuid(0);
    if (auto removed = objects.remove(id)) {
      gone.add(id);
    } else {
      failed = std::move(removed).error();
    }
  }
  if (failed) count--;
  Params params;
  params.add_view(gone.finish());
  if (count > 0) TRY(run(connection, "forget_objects", params));
  if (failed) return std::unexpected(std::move(*failed));
  return count;
}

Result<std::int64_t> collect_all(Connection& connection, objects::StoredObjects& objects,
                                 TenantId tenant, std::chrono::seconds grace,
                                 const std::function<bool()>& go_on) {
  const Params wanted = Params().add(tenant).add(std::int64_t{grace.count()});
  std::int64_t sum = 0;
  while (go_on()) {
    TRY_ASSIGN(const std::int64_t count, collect_batch(connection, objects, wanted, go_on));
    if (count == 0) break;
    sum += count;
  }
  return sum;
}

}  // namespace

Result<std::int64_t> collect_objects(Connection& connection, objects::StoredObjects& objects,
                                     TenantId tenant, std::chrono::seconds grace,
                                     const std::function<bool()>& go_on) {
  TRY_ASSIGN(const PgResult locked, run(connection, "try_lock_objects"));
  if (!locked.row(0).boolean(0)) return 0;
  const auto collected = collect_all(connection, objects, tenant, grace, go_on);
  TRY(run(connection, "unlock_objects"));
  return collected;
}

}  // namespace tusk::store
