#include "connection.h"

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "conninfo.h"
#include "statements.h"

namespace tusk::store {
namespace {

// A server that neither takes nor sends a byte for so long is taken for dead; longer than any
// statement_timeout of ours.
constexpr int kStallMs = 90'000;

std::string one_line(std::string_view text) {
  std::string out(text);
  while (!out.empty() && out.back() == '\n') out.pop_back();
  std::replace(out.begin(), out.end(), '\n', ' ');
  return out;
}

std::string field(const PGresult* result, int code) {
  const char* value = PQresultErrorField(result, code);
  return value ? one_line(value) : std::string();
}

// libpq's own message about a connection string that it cannot parse quotes it, password and all.
bool parses(const std::string& conninfo) {
  if (!has_parameters(conninfo)) return true;
  PQconninfoOption* options = PQconninfoParse(conninfo.c_str(), nullptr);
  PQconninfoFree(options);
  return options != nullptr;
}

PgFailure failure_of(const PGresult* result) {
  PgFailure failure;
  failure.sqlstate = field(result, PG_DIAG_SQLSTATE);
  failure.message = field(result, PG_DIAG_MESSAGE_PRIMARY);
  failure.detail = field(result, PG_DIAG_MESSAGE_DETAIL);
  if (failure.message.empty()) failure.message = one_line(PQresultErrorMessage(result));
  return failure;
}

}  // namespace

std::string PgFailure::text() const {
  std::string out = message;
  // "Failing row contains …" would show what is in a file to whoever reads the log.
  const bool shows_row = sqlstate == "23502" || sqlstate == "23514";
  if (!detail.empty() && !shows_row) out += ": " + detail;
  if (!sqlstate.empty() || !statement.empty()) {
    out += " (";
    if (!sqlstate.empty()) out += "SQLSTATE " + sqlstate;
    if (!sqlstate.empty() && !statement.empty()) out += ", ";
    if (!statement.empty()) out += "statement " + statement;
    out += ")";
  }
  return out;
}

std::int64_t PgResult::touched() const {
  return std::strtoll(PQcmdTuples(result_.get()), nullptr, 10);
}

PgExpected<std::unique_ptr<Connection>> Connection::open(ConnectionContext& context) {
  PgFailure failure;
  failure.lost = true;
  if (!parses(context.conninfo)) {
    failure.message = "the connection string cannot be parsed";
    return std::unexpected(failure);
  }
  // What stands before dbname is a default that the connection string may override; what stands
  // after it is not.
  const char* const names[] = {"connect_timeout",  "keepalives_idle",  "keepalives_interval",
                               "keepalives_count", "tcp_user_timeout", "dbname",
                               "application_name", "client_encoding",  nullptr};
  const char* const values[] = {"4",      "10",   "5",    "3", "20000", context.conninfo.c_str(),
                                "tuskfs", "UTF8", nullptr};
  ConnPtr conn(PQconnectdbParams(names, values, 1));
  if (!conn || PQstatus(conn.get()) != CONNECTION_OK) {
    failure.message = conn ? one_line(PQerrorMessage(conn.get())) : "out of memory";
    failure.bad_password = conn && (PQconnectionNeedsPassword(conn.get()) != 0 ||
                                    PQconnectionUsedPassword(conn.get()) != 0);
    return std::unexpected(failure);
  }
  PQsetNoticeProcessor(
      conn.get(), [](void*, const char*) {}, nullptr);
  if (PQsetnonblocking(conn.get(), 1) != 0 || PQenterPipelineMode(conn.get()) != 1) {
    failure.message = one_line(PQerrorMessage(conn.get()));
    return std::unexpected(failure);
  }
  return std::unique_ptr<Connection>(new Connection(context, std::move(conn)));
}

PgExpected<void> Connection::queue(std::string_view name, const Params& params) {
  const Statement& s = statement(name);
  const std::string_view key = s.name;
  if (!prepared_.contains(key) && preparing_.insert(key).second) {
    if (!PQsendPrepare(conn_.get(), s.name.c_str(), s.text.c_str(), 0, nullptr)) {
      return std::unexpected(lost());
    }
    queued_.push_back({&s.name, true});
  }
  if (!PQsendQueryPrepared(conn_.get(), s.name.c_str(), params.count(), params.values().data(),
                           params.lengths(), params.formats(), 1)) {
    return std::unexpected(lost());
  }
  queued_.push_back({&s.name, false});
  statements_queued_++;
  context_.statements.fetch_add(1, std::memory_order_relaxed);
  // Small statements wait for company: one packet holds many of them.
  constexpr int kWorthSendingBytes = 32 * 1024;
  int bytes = 0;
  for (int i = 0; i < params.count(); i++) bytes += params.lengths()[i];
  if (bytes < kWorthSendingBytes) return {};
  return flush();
}

PgFailure Connection::lost(std::string why) {
  PgFailure failure;
  failure.lost = true;
  failure.message = why.empty() ? one_line(PQerrorMessage(conn_.get())) : std::move(why);
  if (failure.message.empty()) failure.message = "the connection to the server is lost";
  stalled_ = true;
  return failure;
}

PgExpected<void> Connection::wait(short events) {
  pollfd fds[2] = {{PQsocket(conn_.get()), events, 0}, {context_.stop_event.get(), POLLIN, 0}};
  const int ready = ::poll(fds, 2, kStallMs);
  if (ready < 0 && errno != EINTR) return std::unexpected(lost(std::strerror(errno)));
  if (ready == 0) return std::unexpected(lost("the server does not answer"));
  if (ready > 0 && fds[1].revents != 0) return std::unexpected(lost("the store is being closed"));
  if (ready > 0 && (fds[0].revents & (POLLIN | POLLERR | POLLHUP)) != 0 &&
      !PQconsumeInput(conn_.get())) {
    return std::unexpected(lost());
  }
  return {};
}

// Reads while it writes, so that two full socket buffers never wait for each other.
PgExpected<void> Connection::flush() {
  while (true) {
    const int left = PQflush(conn_.get());
    if (left < 0) return std::unexpected(lost());
    if (left == 0) return {};
    TRY(wait(POLLIN | POLLOUT));
  }
}

PgExpected<PGresult*> Connection::next_result() {
  while (PQisBusy(conn_.get())) TRY(wait(POLLIN));
  return PQgetResult(conn_.get());
}

// Reads the result of one statement and the null that ends it.
void Connection::take_answer(const Queued& queued, Answers& answers) {
  auto got = next_result();
  if (!got) {
    if (!answers.failure) answers.failure = std::move(got).error();
    return;
  }
  PgResult result(*got);
  if (!*got) {
    if (!answers.failure) answers.failure = lost();
    return;
  }
  const ExecStatusType status = PQresultStatus(result.get());
  if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK) {
    if (queued.prepare) {
      prepared_.insert(*queued.name);
    } else if (!answers.failure) {
      answers.results.push_back(std::move(result));
    }
  } else if (!answers.failure) {
    answers.failure = failure_of(result.get());
    answers.failure->statement = *queued.name;
  }
  if (!alive()) {
    answers.failure->lost = true;
    return;
  }
  got = next_result();
  if (!got && !answers.failure) answers.failure = std::move(got).error();
  if (got && *got) PQclear(*got);
}

// The commit may fail after all statements went well.
void Connection::take_end(Answers& answers) {
  while (true) {
    auto got = next_result();
    if (!got || !*got) {
      if (!answers.failure) answers.failure = got ? lost() : std::move(got).error();
      return;
    }
    const PgResult end(*got);
    if (PQresultStatus(end.get()) == PGRES_PIPELINE_SYNC) return;
    if (!answers.failure) answers.failure = failure_of(end.get());
    got = next_result();
    if (got && *got) PQclear(*got);
  }
}

Answers Connection::finish() {
  Answers answers;
  const auto queued = std::move(queued_);
  queued_.clear();
  statements_queued_ = 0;
  // A pipeline that was not queued whole must not be committed.
  if (!alive() || !PQpipelineSync(conn_.get())) answers.failure = lost();
  if (auto flushed = flush(); !flushed && !answers.failure) {
    answers.failure = std::move(flushed).error();
  }
  // Even after a failure to send, what the server answered before it may tell how things ended.
  if (answers.failure) PQconsumeInput(conn_.get());
  for (const Queued& each : queued) {
    if (!alive()) break;
    take_answer(each, answers);
  }
  if (alive()) take_end(answers);
  preparing_.clear();
  if (!alive()) {
    if (!answers.failure) answers.failure = lost();
    answers.failure->lost = true;
  }
  return answers;
}

PgExpected<PgResult> Connection::run(std::string_view name, const Params& params) {
  TRY(queue(name, params));
  Answers answers = finish();
  if (answers.failure) return std::unexpected(std::move(*answers.failure));
  return std::move(answers.results.front());
}

PgExpected<PgResult> Connection::run_script(const std::string& sql) {
  PQexitPipelineMode(conn_.get());
  PQsetnonblocking(conn_.get(), 0);
  PgResult result(PQexec(conn_.get(), sql.c_str()));
  const ExecStatusType status = PQresultStatus(result.get());
  PQsetnonblocking(conn_.get(), 1);
  if (!PQenterPipelineMode(conn_.get())) return std::unexpected(lost());
  if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK) return result;
  PgFailure failure = failure_of(result.get());
  failure.lost = !alive();
  return std::unexpected(std::move(failure));
}

std::string Connection::database() const {
  const char* const port = PQport(conn_.get());
  return std::string(PQdb(conn_.get())) + " at " + PQhost(conn_.get()) + ":" + (port ? port : "");
}

}  // namespace tusk::store
