// What PostgreSQL gives a program that does nothing but move content: chunks in by binary COPY, out
// by binary SELECT. scripts/bench.sh measures sequential reads and writes of TuskFS against it.
#include <endian.h>
#include <fmt/format.h>
#include <libpq-fe.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

constexpr std::size_t kChunkBytes = 64 << 10;  // as tusk.file_chunks has them
constexpr std::uint64_t kChunksPerMebibyte = (1 << 20) / kChunkBytes;

struct CloseConnection {
  void operator()(PGconn* connection) const { PQfinish(connection); }
};
struct ClearResult {
  void operator()(PGresult* result) const { PQclear(result); }
};
using Connection = std::unique_ptr<PGconn, CloseConnection>;
using Answer = std::unique_ptr<PGresult, ClearResult>;

[[noreturn]] void die(const Connection& connection) {
  throw std::runtime_error(PQerrorMessage(connection.get()));
}

void run(const Connection& connection, const char* sql,
         ExecStatusType expected = PGRES_COMMAND_OK) {
  const Answer answer(PQexec(connection.get(), sql));
  if (PQresultStatus(answer.get()) != expected) die(connection);
}

// The columns of tusk.file_chunks that matter for the cost of a row.
constexpr const char* kMakeTable = R"(
set client_min_messages = warning;
create schema if not exists tusk_bench;
drop table if exists tusk_bench.chunks;
create table tusk_bench.chunks (
  file_id uuid not null,
  chunk_no bigint not null,
  version bigint not null,
  data bytea not null,
  primary key (file_id, chunk_no, version)
);
alter table tusk_bench.chunks alter column data set storage external;
)";

template <class T>
void append(std::string& target, T value) {
  target.append(reinterpret_cast<const char*>(&value), sizeof value);
}

void append_field(std::string& row, std::string_view value) {
  append(row, htobe32(static_cast<std::uint32_t>(value.size())));
  row += value;
}

std::string number_field(std::uint64_t value) {
  std::string bytes;
  append(bytes, htobe64(value));
  return bytes;
}

std::string random_bytes(std::size_t size) {
  std::mt19937_64 random(7);
  std::string bytes;
  while (bytes.size() < size) append(bytes, random());
  return bytes;
}

void put(const Connection& connection, const std::string& bytes) {
  if (PQputCopyData(connection.get(), bytes.data(), static_cast<int>(bytes.size())) != 1)
    die(connection);
}

void write_chunks(const Connection& connection, std::uint64_t mebibytes) {
  const std::string content = random_bytes(kChunkBytes), file(16, 'f');
  run(connection,
      "copy tusk_bench.chunks (file_id, chunk_no, version, data) from stdin (format binary)",
      PGRES_COPY_IN);
  put(connection, std::string("PGCOPY\n\377\r\n\0", 11) + std::string(8, '\0'));
  for (std::uint64_t n = 0; n < mebibytes * kChunksPerMebibyte; n++) {
    std::string row;
    row.reserve(kChunkBytes + 64);
    append(row, htobe16(4));
    append_field(row, file);
    append_field(row, number_field(n));
    append_field(row, number_field(1));
    append_field(row, content);
    put(connection, row);
  }
  put(connection, "\377\377");
  if (PQputCopyEnd(connection.get(), nullptr) != 1) die(connection);
  const Answer answer(PQgetResult(connection.get()));
  if (PQresultStatus(answer.get()) != PGRES_COMMAND_OK) die(connection);
}

void read_chunks(const Connection& connection, std::uint64_t mebibytes) {
  const std::string content = random_bytes(kChunkBytes);
  constexpr const char* kQuery =
      "select chunk_no, data from tusk_bench.chunks where file_id = "
      "'66666666-6666-6666-6666-666666666666' "
      "order by chunk_no, version";
  if (PQsendQueryParams(connection.get(), kQuery, 0, nullptr, nullptr, nullptr, nullptr, 1) != 1)
    die(connection);
  PQsetSingleRowMode(connection.get());
  std::uint64_t rows = 0;
  while (const Answer answer{PQgetResult(connection.get())}) {
    if (PQresultStatus(answer.get()) == PGRES_TUPLES_OK) continue;
    if (PQresultStatus(answer.get()) != PGRES_SINGLE_TUPLE) die(connection);
    const auto size = static_cast<std::size_t>(PQgetlength(answer.get(), 0, 1));
    if (size != kChunkBytes ||
        std::memcmp(PQgetvalue(answer.get(), 0, 1), content.data(), size) != 0) {
      throw std::runtime_error("wrong content");
    }
    rows++;
  }
  if (rows != mebibytes * kChunksPerMebibyte) throw std::runtime_error("wrong number of chunks");
}

}  // namespace

int main(int argc, char** argv) try {
  const std::string command = argc == 4 ? argv[2] : "";
  if (command != "write" && command != "read") {
    fmt::print(stderr, "usage: pgload CONNINFO write|read MIB\n");
    return 2;
  }
  const std::uint64_t mebibytes = std::stoull(argv[3]);
  const Connection connection(PQconnectdb(argv[1]));
  if (PQstatus(connection.get()) != CONNECTION_OK) die(connection);
  if (command == "write") run(connection, kMakeTable);
  const auto start = std::chrono::steady_clock::now();
  command == "write" ? write_chunks(connection, mebibytes) : read_chunks(connection, mebibytes);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  fmt::print("{} {:.6f}\n", mebibytes, took.count());
  return 0;
} catch (const std::exception& e) {
  fmt::print(stderr, "pgload: {}\n", e.what());
  return 1;
}
