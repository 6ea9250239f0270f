#include "connection.h"

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "statements.h"

namespace tusk::store {
namespace {

// A server that neither takes nor sends a byte for so long is taken for dead; longer than any
// statement_timeout of ours.
constexpr int kStallMs = 90'000;
// After so long, and again, it is asked whether another one has taken over meanwhile.
constexpr int kLateMs = 3'000;

// A server that has become a standby keeps its sessions where it was not restarted, and others are
// read-only from the start: either way it is not the one to write to.
constexpr std::string_view kReadOnly = "25006";

std::string field(const PGresult* result, int code) {
  const char* value = PQresultErrorField(result, code);
  return value ? one_line(value) : std::string();
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

std::string one_line(std::string_view text) {
  std::string out(text);
  while (!out.empty() && out.back() == '\n') out.pop_back();
  std::replace(out.begin(), out.end(), '\n', ' ');
  return out;
}

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

Connection::Connection(ConnectionContext& context, ServerSession session)
    : context_(context),
      conn_(std::move(session.conn)),
      address_(std::move(session.address)),
      backend_pid_(session.backend_pid),
      is_pooled_(session.is_pooled),
      is_standby_(session.is_standby),
      timeline_(session.timeline) {}

PgExpected<std::unique_ptr<Connection>> Connection::open(ConnectionContext& context) {
  auto session = context.servers->connect(context.conninfo);
  if (!session) return std::unexpected(std::move(session).error());
  PGconn* conn = session->conn.get();
  if (PQsetnonblocking(conn, 1) == 0 && PQenterPipelineMode(conn) == 1)
    return std::unique_ptr<Connection>(new Connection(context, std::move(*session)));
  PgFailure failure;
  failure.lost = true;
  failure.message = one_line(PQerrorMessage(conn));
  return std::unexpected(failure);
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

// What the server says; a refusal to write ends the session.
PgFailure Connection::failed(const PGresult* result) {
  PgFailure failure = failure_of(result);
  if (failure.sqlstate == kReadOnly && context_.writes) stalled_ = true;
  return failure;
}

PgExpected<void> Connection::wait(short events, Patience patience) {
  pollfd fds[2] = {{PQsocket(conn_.get()), events, 0}, {context_.stop_event.get(), POLLIN, 0}};
  int ready = 0;
  for (int waited = 0; ready == 0; waited += kLateMs) {
    if (patience == Patience::usual && waited >= kStallMs)
      return std::unexpected(lost("the server does not answer"));
    if (waited > 0 && context_.servers->has_successor(context_.conninfo, address_, timeline_))
      return std::unexpected(lost("another server has taken over"));
    ready = ::poll(fds, 2, kLateMs);
  }
  if (ready < 0 && errno != EINTR) return std::unexpected(lost(std::strerror(errno)));
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

PgExpected<PGresult*> Connection::next_result(Patience patience) {
  while (PQisBusy(conn_.get())) TRY(wait(POLLIN, patience));
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
    answers.failure = failed(result.get());
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
    if (!answers.failure) answers.failure = failed(end.get());
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
  if (!PQsendQuery(conn_.get(), sql.c_str())) return std::unexpected(lost());
  TRY(flush());
  PgResult result(nullptr);
  while (true) {
    TRY_ASSIGN(PGresult * next, next_result(Patience::endless));
    if (next == nullptr) break;
    result = PgResult(next);
  }
  if (!PQenterPipelineMode(conn_.get())) return std::unexpected(lost());
  const ExecStatusType status = PQresultStatus(result.get());
  if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK) return result;
  PgFailure failure = failed(result.get());
  failure.lost = !alive();
  return std::unexpected(std::move(failure));
}

std::vector<Connection::Notice> Connection::take_notices() {
  if (!PQconsumeInput(conn_.get())) (void)lost();
  std::vector<Notice> notices;
  while (PGnotify* const notice = PQnotifies(conn_.get())) {
    notices.push_back({notice->relname, notice->extra});
    PQfreemem(notice);
  }
  return notices;
}

std::string Connection::database() const {
  const char* const port = PQport(conn_.get());
  return std::string(PQdb(conn_.get())) + " at " + PQhost(conn_.get()) + ":" + (port ? port : "");
}

}  // namespace tusk::store
