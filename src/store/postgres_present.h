// The PastStore of a tree that others change while it is read.
#pragma once

#include "postgres_past.h"

namespace tusk::store {

class PostgresPresent final : public PostgresPast {
 public:
  PostgresPresent(Loads& loads, Tiers& tiers, TenantId tenant)
      : PostgresPast(loads, tiers, tenant), loads_(loads), tiers_(tiers) {}

  void past_inline(const FileRow& row, Callback<Result<SharedBytes>> callback) override;
  void past_chunks(const FileRow& row, ChunkRange range,
                   Callback<Result<std::vector<SharedBytes>>> callback) override;

 private:
  Loads& loads_;
  Tiers& tiers_;
};

}  // namespace tusk::store
