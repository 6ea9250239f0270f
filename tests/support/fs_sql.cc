#include "support/fs_sql.h"

#include <algorithm>
#include <filesystem>
#include <stdexcept>

#include "support/fs_calls.h"

namespace tusk::test {
namespace {

using Outcome = std::unique_ptr<PGresult, void (*)(PGresult*)>;

Outcome checked(PGconn* connection, PGresult* raw, const std::string& query) {
  Outcome result(raw, &::PQclear);
  const ExecStatusType status = ::PQresultStatus(raw);
  if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK) return result;
  const char* state = ::PQresultErrorField(result.get(), PG_DIAG_SQLSTATE);
  throw SqlError(query + ": " + ::PQerrorMessage(connection), state ? state : "");
}

SqlRow row_of(const PGresult* result, int row) {
  SqlRow fields;
  for (int column = 0; column < ::PQnfields(result); column++) {
    const bool null = ::PQgetisnull(result, row, column) != 0;
    fields.push_back(null ? "<null>" : ::PQgetvalue(result, row, column));
  }
  return fields;
}

}  // namespace

Sql::Sql(const std::string& conninfo) : connection_(::PQconnectdb(conninfo.c_str()), &::PQfinish) {
  if (::PQstatus(connection_.get()) != CONNECTION_OK)
    throw std::runtime_error(::PQerrorMessage(connection_.get()));
}

std::vector<SqlRow> Sql::rows(const std::string& query, const std::vector<std::string>& params) {
  std::vector<const char*> values;
  for (const std::string& param : params) values.push_back(param.c_str());
  PGconn* connection = connection_.get();
  const Outcome result =
      checked(connection,
              ::PQexecParams(connection, query.c_str(), static_cast<int>(values.size()), nullptr,
                             values.data(), nullptr, nullptr, 0),
              query);
  std::vector<SqlRow> rows;
  for (int i = 0; i < ::PQntuples(result.get()); i++) rows.push_back(row_of(result.get(), i));
  return rows;
}

std::string Sql::value(const std::string& query, const std::vector<std::string>& params) {
  const std::vector<SqlRow> found = rows(query, params);
  if (found.size() != 1 || found[0].size() != 1)
    throw std::runtime_error(query + ": " + std::to_string(found.size()) + " rows");
  return found[0][0];
}

std::int64_t Sql::number(const std::string& query, const std::vector<std::string>& params) {
  return std::stoll(value(query, params));
}

void Sql::run(const std::string& statements) {
  PGconn* connection = connection_.get();
  checked(connection, ::PQexec(connection, statements.c_str()), statements);
}

std::vector<std::string> broken_invariants(const std::string& conninfo) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(TUSKFS_SOURCE_DIR "/sql/checks"))
    if (entry.path().extension() == ".sql") files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  if (files.empty()) throw std::runtime_error("no checks in sql/checks");
  Sql sql(conninfo);
  std::vector<std::string> findings;
  for (const auto& file : files) {
    for (const SqlRow& row : sql.rows(get(file))) {
      std::string line = file.stem().string() + ":";
      for (const std::string& field : row) line += " " + field.substr(0, 100);
      findings.push_back(line);
    }
  }
  return findings;
}

}  // namespace tusk::test
