// The mounts that a tree has, and who writes in it, as the database knows them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "connection.h"
#include "tuskfs/store/store.h"

namespace tusk::store {

struct MountRow {
  std::int64_t epoch = 0;
  OtherMount mount;
};
// Also those that are gone and may come back.
PgExpected<std::vector<MountRow>> mounts_of(Connection& connection, TenantId tenant);

enum class Delegated { holds, waits };
struct WriterRow {
  Writer writer;
  std::string state;  // of its session
  std::int64_t seconds = 0;

  std::string text() const;  // "an SQL transaction … for 3 s (…)"
};
// Of several whose transaction is the oldest. For people: nobody also where it cannot be known.
std::optional<WriterRow> writer_of(Connection& connection, TenantId tenant, Delegated what);

}  // namespace tusk::store
