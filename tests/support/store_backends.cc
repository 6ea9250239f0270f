#include "support/store_backends.h"

#include <stdexcept>

#include "support/fs_sql.h"
#include "tuskfs/store/migrate.h"

namespace tusk::test {

Server& shared_server() {
  static Server server;
  return server;
}

std::string new_database(bool empty) {
  static int count = 0;
  const std::string name = "store" + std::to_string(++count);
  Sql(shared_server().conninfo()).run("create database " + name);
  std::string conninfo = shared_server().conninfo();
  conninfo.replace(conninfo.find("dbname=postgres"), 15, "dbname=" + name);
  if (!empty) {
    if (const auto done = store::migrate_up(conninfo); !done) {
      throw std::runtime_error(done.error().what);
    }
  }
  return conninfo;
}

PostgresBackend::PostgresBackend() : PostgresBackend(new_database()) {}

PostgresBackend::PostgresBackend(std::string conninfo) : conninfo_(std::move(conninfo)) {
  auto reactor = Reactor::create();
  if (!reactor) throw std::runtime_error(reactor.error().what);
  reactor_ = std::move(*reactor);
}

PostgresBackend::~PostgresBackend() { store_.reset(); }

store::Attached PostgresBackend::attach() {
  store_.reset();
  store::PostgresOptions options;
  options.conninfo = conninfo_;
  options.mountpoint = "/mnt/test";
  options.before_reconnect = before_reconnect;
  auto attached = store::PostgresStore::attach(options, *reactor_);
  if (!attached) throw std::runtime_error(attached.error().what);
  store_ = std::move(*attached);
  return store_->attached();
}

std::optional<Buffer> PostgresBackend::content(FileId id) {
  const std::string hex =
      Sql(conninfo_).value("select encode(tusk.content($1::uuid), 'hex')", {id.uuid.text()});
  if (hex == "<null>") return std::nullopt;
  Buffer out;
  for (std::size_t i = 0; i < hex.size(); i += 2) {
    out.push_back(static_cast<std::uint8_t>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  }
  return out;
}

}  // namespace tusk::test
