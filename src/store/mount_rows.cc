#include "mount_rows.h"

#include <fmt/format.h>

namespace tusk::store {

PgExpected<std::vector<MountRow>> mounts_of(Connection& connection, TenantId tenant) {
  TRY_ASSIGN(const PgResult found, connection.run("mounts_of", Params().add(tenant)));
  std::vector<MountRow> mounts;
  for (int i = 0; i < found.rows(); i++) {
    const Row row = found.row(i);
    mounts.push_back({row.integer(0),
                      {std::string(row.text(1)), row.integer(2), std::string(row.text(3)),
                       std::string(row.text(4)), row.boolean(5)}});
  }
  return mounts;
}

std::optional<WriterRow> writer_of(Connection& connection, TenantId tenant, Delegated what) {
  const auto found =
      connection.run("delegation_writer", Params().add(tenant).add(what == Delegated::holds));
  if (!found || found->rows() == 0) return std::nullopt;
  const Row row = found->row(0);
  return WriterRow{{row.integer(0), std::string(row.text(1)), std::string(row.text(2)),
                    std::string(row.text(3))},
                   std::string(row.text(4)),
                   row.integer(5)};
}

std::string WriterRow::text() const {
  if (!writer.mount.empty()) return fmt::format("mount {} (backend {})", writer.mount, writer.pid);
  return fmt::format("an SQL transaction for {} s (backend {}, user {}, application '{}', {})",
                     seconds, writer.pid, writer.user, writer.application, state);
}

}  // namespace tusk::store
