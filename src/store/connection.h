// libpq with owners, deadlines and nothing but pipelines.
#pragma once

#include <libpq-fe.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "codec.h"
#include "pg_failure.h"
#include "servers.h"
#include "tuskfs/base/fd.h"
#include "tuskfs/base/result.h"

namespace tusk::store {

struct PgResultDeleter {
  void operator()(PGresult* result) const { PQclear(result); }
};
class PgResult {
 public:
  explicit PgResult(PGresult* result) : result_(result) {}
  int rows() const { return PQntuples(result_.get()); }
  int columns() const { return PQnfields(result_.get()); }
  Row row(int number) const { return {result_.get(), number}; }
  // Rows that an insert, update or delete touched.
  std::int64_t touched() const;
  const PGresult* get() const { return result_.get(); }

 private:
  std::unique_ptr<PGresult, PgResultDeleter> result_;
};

// How a pipeline ended: the answers before the first failure, in order.
struct Answers {
  std::vector<PgResult> results;
  // Of statement number results.size(); of the commit that ends a pipeline without a transaction
  // block when all statements have their results.
  std::optional<PgFailure> failure;
};

// What the connections of one store have in common.
struct ConnectionContext {
  std::string conninfo;
  std::shared_ptr<Servers> servers = std::make_shared<Servers>();  // of several stores, perhaps
  bool writes = true;  // one that has become a standby will not do
  std::function<void()> before_reconnect;
  std::atomic<std::uint64_t> statements = 0;
  Fd stop_event;  // readable once the store is being closed; may be empty
};

// One session. Used by one thread at a time.
class Connection {
 public:
  static PgExpected<std::unique_ptr<Connection>> open(ConnectionContext& context);

  // Sends a statement of sql/queries and returns without waiting for its answer. What it sent has
  // left libpq's buffer, so the memory of a large group is needed once. Fails only when the
  // connection is lost.
  PgExpected<void> queue(std::string_view name, const Params& params = {});
  // Statements queued since the last finish().
  std::size_t queued() const { return statements_queued_; }
  // Ends the pipeline and waits for all its answers. Statements outside of a transaction block are
  // one transaction, committed by this; when queue() failed before, nothing is.
  Answers finish();
  // A pipeline of one.
  PgExpected<PgResult> run(std::string_view name, const Params& params = {});
  // Several statements in one string, without parameters: a migration, a check. Answers with the
  // last result, in text form, however long that takes.
  PgExpected<PgResult> run_script(const std::string& sql);

  // What other sessions told on channels that this one listens to: readable when something may have
  // come.
  struct Notice {
    std::string channel, payload;
  };
  int socket() const { return PQsocket(conn_.get()); }
  std::vector<Notice> take_notices();

  bool alive() const { return PQstatus(conn_.get()) == CONNECTION_OK && !stalled_; }
  int backend_pid() const { return backend_pid_; }
  // A pooler stands between: sessions may not be what they seem.
  bool is_pooled() const { return is_pooled_; }
  bool is_standby() const { return is_standby_; }
  // "dbname at host:port", without secrets.
  std::string database() const;

 private:
  struct Queued {
    const std::string* name;
    bool prepare;
  };

  Connection(ConnectionContext& context, ServerSession session);

  // How long an answer may take: longer than any statement_timeout of ours, or for ever.
  enum class Patience { usual, endless };
  PgExpected<void> flush();
  PgExpected<void> wait(short events, Patience patience = Patience::usual);
  PgExpected<PGresult*> next_result(Patience patience = Patience::usual);
  PgFailure lost(std::string why = {});
  PgFailure failed(const PGresult* result);
  void take_answer(const Queued& queued, Answers& answers);
  void take_end(Answers& answers);

  ConnectionContext& context_;
  PgConn conn_;
  const std::string address_;
  const int backend_pid_;
  const bool is_pooled_, is_standby_;
  const std::int64_t timeline_;
  bool stalled_ = false;
  std::vector<Queued> queued_;
  std::size_t statements_queued_ = 0;
  std::unordered_set<std::string_view> prepared_;   // answered
  std::unordered_set<std::string_view> preparing_;  // in this pipeline
};

}  // namespace tusk::store
