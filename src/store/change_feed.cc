#include "change_feed.h"

#include <fmt/format.h>
#include <libpq-fe.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <memory>

#include "statements.h"

namespace tusk::store {
namespace {

constexpr int kRetryMs = 500;

// A server that vanished or froze tells nobody: silence is asked about, and then for as long.
constexpr int kSilenceMs = 3'000;

using Notify = std::unique_ptr<PGnotify, decltype([](PGnotify* notify) { PQfreemem(notify); })>;

bool succeeds(PGconn* conn, const std::string& statement) {
  const std::unique_ptr<PGresult, decltype(&PQclear)> result(PQexec(conn, statement.c_str()),
                                                             &PQclear);
  const ExecStatusType status = PQresultStatus(result.get());
  return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
}

// True: the server has answered what it was asked.
bool take_answer(PGconn* conn) {
  bool answered = false;
  while (PQisBusy(conn) == 0) {
    PGresult* result = PQgetResult(conn);
    if (result == nullptr) return answered;
    PQclear(result);
    answered = true;
  }
  return answered;
}

}  // namespace

ChangeFeed::ChangeFeed(std::string conninfo, std::shared_ptr<Servers> servers, std::string channel,
                       Listener listener)
    : conninfo_(std::move(conninfo)),
      servers_(std::move(servers)),
      channel_(std::move(channel)),
      listener_(std::move(listener)),
      stop_event_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
      thread_([this](const std::stop_token& stop) { run(stop); }) {
  ::pthread_setname_np(thread_.native_handle(), "tusk-feed");
}

ChangeFeed::~ChangeFeed() {
  thread_.request_stop();
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(stop_event_.get(), &one, sizeof one);
}

bool ChangeFeed::pause(int ms) {
  pollfd fd{stop_event_.get(), POLLIN, 0};
  return ::poll(&fd, 1, ms) == 0;
}

void ChangeFeed::run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    listen(stop);
    if (!pause(kRetryMs)) return;
  }
}

void ChangeFeed::listen(const std::stop_token& stop) {
  const auto session = servers_->connect(conninfo_);
  if (!session) return;
  PGconn* conn = session->conn.get();
  // A channel is an identifier: a constant of ours, no parameter can stand for it.
  if (!succeeds(conn, statement("feed_settings").text) ||
      !succeeds(conn, fmt::format("listen {}", channel_)))
    return;
  listener_.connected(true);
  hear(conn, stop);
  listener_.connected(false);
}

void ChangeFeed::hear(PGconn* conn, const std::stop_token& stop) {
  bool is_asked = false;
  while (!stop.stop_requested()) {
    pollfd fds[2] = {{PQsocket(conn), POLLIN, 0}, {stop_event_.get(), POLLIN, 0}};
    const int ready = ::poll(fds, 2, kSilenceMs);
    if (ready < 0 && errno != EINTR) return;
    if (ready == 0) {
      if (is_asked || !PQsendQuery(conn, statement("ping").text.c_str())) return;
      is_asked = true;
    }
    if (!PQconsumeInput(conn) || PQstatus(conn) != CONNECTION_OK) return;
    if (take_answer(conn)) is_asked = false;
    while (const Notify notify{PQnotifies(conn)}) listener_.told(notify->be_pid, notify->extra);
  }
}

}  // namespace tusk::store
