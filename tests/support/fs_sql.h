// A plain SQL client for tests: what anybody with psql sees.
#pragma once

#include <libpq-fe.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace tusk::test {

using SqlRow = std::vector<std::string>;  // as text; NULL is "<null>"

// What the server says, with its SQLSTATE.
struct SqlError : std::runtime_error {
  SqlError(const std::string& what, std::string sqlstate)
      : std::runtime_error(what), state(std::move(sqlstate)) {}
  std::string state;
};

class Sql {
 public:
  explicit Sql(const std::string& conninfo);  // throws when there is no connection to be had
  std::vector<SqlRow> rows(const std::string& query, const std::vector<std::string>& params = {});
  // Of exactly one row with one column.
  std::string value(const std::string& query, const std::vector<std::string>& params = {});
  std::int64_t number(const std::string& query, const std::vector<std::string>& params = {});
  // Statements without parameters and result, several if need be.
  void run(const std::string& statements);

 private:
  std::unique_ptr<PGconn, void (*)(PGconn*)> connection_;
};

// Runs sql/checks/*.sql: one line for every row that one of them returns.
std::vector<std::string> broken_invariants(const std::string& conninfo);

}  // namespace tusk::test
