// The two stores behind one face, so that one suite can hold them to the same meaning.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "support/fs_server.h"
#include "support/mem_store.h"
#include "support/sim_executor.h"
#include "tuskfs/base/reactor.h"
#include "tuskfs/store/postgres.h"

namespace tusk::test {

// A server for the whole program; fsync is off, as nothing here loses power.
Server& shared_server();
// A new database on it, with the newest schema unless `empty`; returns its conninfo.
std::string new_database(bool empty = false);

class MemBackend {
 public:
  store::Attached attach() {
    store_.automatic = true;
    return store_.attach();
  }
  store::Store& store() { return store_; }
  void run() { executor_.run_ready(); }
  std::optional<Buffer> content(FileId id) { return store_.content(id); }

 private:
  testing::SimExecutor executor_{1};
  testing::MemStore store_{executor_};
};

class PostgresBackend {
 public:
  PostgresBackend();
  explicit PostgresBackend(std::string conninfo);
  ~PostgresBackend();

  // Detaches first.
  store::Attached attach();
  void detach() { store_.reset(); }
  store::PostgresStore& store() { return *store_; }
  void run() { reactor_->wait_and_run(std::chrono::milliseconds(100)); }
  // As an SQL client sees it.
  std::optional<Buffer> content(FileId id);

  Reactor& reactor() { return *reactor_; }
  const std::string& conninfo() const { return conninfo_; }
  std::function<void()> before_reconnect;

 private:
  std::string conninfo_;
  std::unique_ptr<Reactor> reactor_;
  std::unique_ptr<store::PostgresStore> store_;
};

}  // namespace tusk::test
