#include "servers.h"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "codec.h"
#include "connection.h"
#include "conninfo.h"
#include "statements.h"

namespace tusk::store {
namespace {

using Settings = std::map<std::string, std::string>;

// How long a server may take to say who it is, and to be connected to: those that come after it
// wait for it.
constexpr int kAnswerMs = 3'000;
constexpr const char* kConnectSeconds = "4";
constexpr const char* kConnectSecondsOfSeveral = "3";

PgFailure failed(std::string why) {
  PgFailure failure;
  failure.lost = true;
  failure.message = std::move(why);
  return failure;
}

bool wait_for(PGconn* conn, short events) {
  pollfd fd{PQsocket(conn), events, 0};
  return ::poll(&fd, 1, kAnswerMs) > 0;
}

// Null: no answer in time. A server may freeze between being connected to and being asked.
PgResult ask(PGconn* conn, const std::string& text) {
  PQsetnonblocking(conn, 1);
  if (!PQsendQueryParams(conn, text.c_str(), 0, nullptr, nullptr, nullptr, nullptr, 1))
    return PgResult(nullptr);
  while (PQflush(conn) > 0)
    if (!wait_for(conn, POLLOUT)) return PgResult(nullptr);
  PgResult last(nullptr);
  while (true) {
    while (PQisBusy(conn))
      if (!wait_for(conn, POLLIN) || !PQconsumeInput(conn)) return PgResult(nullptr);
    PGresult* next = PQgetResult(conn);
    if (next == nullptr) return last;
    last = PgResult(next);
  }
}

// A server that is too old to be asked is told so by others.
PgExpected<void> identify(ServerSession& session) {
  session.backend_pid = PQbackendPID(session.conn.get());
  const PgResult asked = ask(session.conn.get(), statement("server_identity").text);
  if (asked.get() == nullptr || PQstatus(session.conn.get()) != CONNECTION_OK)
    return std::unexpected(failed(session.address + ": the server does not answer"));
  if (PQresultStatus(asked.get()) != PGRES_TUPLES_OK || asked.rows() != 1) return {};
  const Row row = asked.row(0);
  session.is_pooled = session.backend_pid != row.integer(0);
  session.backend_pid = static_cast<int>(row.integer(0));
  session.is_standby = row.boolean(1);
  session.timeline = row.integer(2);
  return {};
}

}  // namespace

PgExpected<ServerSession> Servers::connect_to(const std::string& conninfo,
                                              const ServerAddress& address, const Manner& manner) {
  // What stands before dbname is a default that the connection string may override; what stands
  // after it is not. A server that vanished is to be noticed within a few seconds.
  const std::pair<const char*, const char*> settings[] = {
      {"connect_timeout", manner.connect_timeout},
      {"keepalives_idle", "4"},
      {"keepalives_interval", "2"},
      {"keepalives_count", "2"},
      {"tcp_user_timeout", "8000"},
      {"target_session_attrs", manner.session_attrs},
      {"dbname", conninfo.c_str()},
      {"host", address.host.c_str()},
      {"hostaddr", address.hostaddr.c_str()},
      {"port", address.port.c_str()},
      {"application_name", "tuskfs"},
      {"client_encoding", "UTF8"}};
  std::vector<const char*> names, values;
  for (const auto& [name, value] : settings) {
    names.push_back(name);
    values.push_back(value);
  }
  names.push_back(nullptr);
  values.push_back(nullptr);
  ServerSession session;
  session.conn = PgConn(PQconnectdbParams(names.data(), values.data(), 1));
  session.address = address.text();
  if (PQstatus(session.conn.get()) != CONNECTION_OK) {
    PgFailure failure = failed(one_line(PQerrorMessage(session.conn.get())));
    failure.bad_password = PQconnectionNeedsPassword(session.conn.get()) != 0 ||
                           PQconnectionUsedPassword(session.conn.get()) != 0;
    return std::unexpected(failure);
  }
  PQsetNoticeProcessor(
      session.conn.get(), [](void*, const char*) {}, nullptr);
  TRY(identify(session));
  TRY(note(session));
  return session;
}

PgExpected<void> Servers::note(const ServerSession& session) {
  const std::lock_guard lock(mutex_);
  if (session.timeline != 0 && session.timeline < timeline_)
    return std::unexpected(failed(fmt::format(
        "{}:{} is a former primary that another server has taken over from (timeline {}, not {})",
        PQhost(session.conn.get()), PQport(session.conn.get()), session.timeline, timeline_)));
  timeline_ = std::max(timeline_, session.timeline);
  last_ = session.address;
  return {};
}

void Servers::begin_with_last(std::vector<ServerAddress>& addresses) {
  const std::lock_guard lock(mutex_);
  std::ranges::stable_partition(addresses,
                                [this](const auto& each) { return each.text() == last_; });
}

PgExpected<ServerSession> Servers::connect_any(const std::string& conninfo,
                                               const std::vector<ServerAddress>& addresses,
                                               const Manner& manner) {
  PgFailure failure;
  for (const ServerAddress& address : addresses) {
    auto session = connect_to(conninfo, address, manner);
    if (session) return session;
    if (!failure.message.empty()) session.error().message.insert(0, failure.message + "; ");
    failure = std::move(session).error();
  }
  return std::unexpected(failure);
}

PgExpected<ServerSession> Servers::connect(const std::string& conninfo) {
  const Settings settings = settings_of(conninfo);
  // libpq's own message about a connection string that it cannot parse quotes it, password and all.
  if (settings.empty()) return std::unexpected(failed("the connection string cannot be parsed"));
  auto addresses = several_addresses(settings);
  if (addresses.empty()) return connect_to(conninfo, {}, {.connect_timeout = kConnectSeconds});
  begin_with_last(addresses);
  Manner manner{.session_attrs = kTakesWrites, .connect_timeout = kConnectSecondsOfSeveral};
  if (wanted_ == Wanted::primary) return connect_any(conninfo, addresses, manner);
  manner.session_attrs = "standby";
  auto session = connect_any(conninfo, addresses, manner);
  if (session) return session;
  manner.session_attrs = nullptr;
  return connect_any(conninfo, addresses, manner);
}

bool Servers::has_successor(const std::string& conninfo, const std::string& address,
                            std::int64_t timeline) {
  if (address.empty() || timeline == 0) return false;
  auto addresses = several_addresses(settings_of(conninfo));
  std::erase_if(addresses, [&](const auto& each) { return each.text() == address; });
  const Manner manner{.session_attrs = kTakesWrites, .connect_timeout = kConnectSecondsOfSeveral};
  return std::ranges::any_of(addresses, [&](const ServerAddress& each) {
    const auto session = connect_to(conninfo, each, manner);
    return session && !session->is_standby && session->timeline > timeline;
  });
}

}  // namespace tusk::store
