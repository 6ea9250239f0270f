#include "change_feed.h"

#include <fmt/format.h>
#include <libpq-fe.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <memory>

#include "tuskfs/base/log.h"

namespace tusk::store {
namespace {

constexpr int kRetryMs = 500;

using Conn = std::unique_ptr<PGconn, decltype([](PGconn* conn) { PQfinish(conn); })>;
using Notify = std::unique_ptr<PGnotify, decltype([](PGnotify* notify) { PQfreemem(notify); })>;

Conn connect(const std::string& conninfo) {
  const char* const names[] = {"connect_timeout",  "keepalives_idle", "dbname",
                               "application_name", "client_encoding", nullptr};
  const char* const values[] = {"4", "10", conninfo.c_str(), "tusk-feed", "UTF8", nullptr};
  Conn conn(PQconnectdbParams(names, values, 1));
  PQsetNoticeProcessor(
      conn.get(), [](void*, const char*) {}, nullptr);
  return conn;
}

}  // namespace

ChangeFeed::ChangeFeed(std::string conninfo, std::string channel, Listener listener)
    : conninfo_(std::move(conninfo)),
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
  const Conn conn = connect(conninfo_);
  if (PQstatus(conn.get()) != CONNECTION_OK) return;
  // A channel is an identifier: a constant of ours, no parameter can stand for it.
  PGresult* listening = PQexec(conn.get(), fmt::format("listen {}", channel_).c_str());
  const bool hears = PQresultStatus(listening) == PGRES_COMMAND_OK;
  PQclear(listening);
  if (!hears) return;
  listener_.connected(true);
  while (!stop.stop_requested()) {
    pollfd fds[2] = {{PQsocket(conn.get()), POLLIN, 0}, {stop_event_.get(), POLLIN, 0}};
    if (::poll(fds, 2, -1) < 0 && errno != EINTR) break;
    if (!PQconsumeInput(conn.get()) || PQstatus(conn.get()) != CONNECTION_OK) break;
    while (const Notify notify{PQnotifies(conn.get())})
      listener_.told(notify->be_pid, notify->extra);
  }
  listener_.connected(false);
}

}  // namespace tusk::store
