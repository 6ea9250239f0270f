// Rows of a group on their way into one statement, as parallel arrays sent in batches.
#pragma once

#include <initializer_list>
#include <optional>
#include <string_view>
#include <vector>

#include "connection.h"
#include "tuskfs/base/ids.h"

namespace tusk::store {

// A batch that stays in the caches of both sides is the fastest (measured: 100 to 200 rows), and a
// megabyte bounds the memory that a group needs beyond its own.
inline constexpr int kBatchRows = 200;
inline constexpr std::size_t kBatchBytes = 1 << 20;

class Batch {
 public:
  // `tenant`: passed as the first parameter, before the arrays.
  Batch(Connection& connection, std::string_view statement,
        std::initializer_list<ElementType> columns, std::optional<TenantId> tenant = {})
      : connection_(connection), statement_(statement), tenant_(tenant) {
    columns_.reserve(columns.size());
    for (const ElementType type : columns) columns_.emplace_back(type);
  }

  // One value a column, in order.
  template <class... Values>
  PgExpected<void> add(const Values&... values) {
    std::size_t column = 0;
    (columns_[column++].add(values), ...);
    rows_++;
    if (rows_ < kBatchRows && bytes() < kBatchBytes) return {};
    return send();
  }

  // What is left. Must end every batch.
  PgExpected<void> send() {
    if (rows_ == 0) return {};
    Params params;
    if (tenant_) params.add(*tenant_);
    for (BinaryArray& column : columns_) params.add_view(column.finish());
    TRY(connection_.queue(statement_, params));
    for (BinaryArray& column : columns_) column.clear();
    rows_ = 0;
    return {};
  }

 private:
  std::size_t bytes() const {
    std::size_t sum = 0;
    for (const BinaryArray& column : columns_) sum += column.bytes();
    return sum;
  }

  Connection& connection_;
  std::string_view statement_;
  std::optional<TenantId> tenant_;
  std::vector<BinaryArray> columns_;
  int rows_ = 0;
};

}  // namespace tusk::store
