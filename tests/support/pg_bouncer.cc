#include "support/pg_bouncer.h"

#include <fmt/format.h>
#include <libpq-fe.h>
#include <unistd.h>

#include <stdexcept>

namespace tusk::test {

PgBouncer::PgBouncer(const Server& server, std::string mode)
    : temp_(Server::owner()),
      conninfo_(
          fmt::format("host={} port=6432 dbname=postgres user=postgres", temp_.path().string())) {
  // As Debian's, but for what tells the one from the other and where it is.
  put(temp_.path() / "users", "\"postgres\" \"\"\n");
  put(temp_.path() / "ini",
      fmt::format("[databases]\n* = host={}\n[pgbouncer]\nlisten_addr =\nlisten_port = 6432\n"
                  "unix_socket_dir = {}\nauth_type = trust\nauth_file = {}/users\n"
                  "pool_mode = {}\nmax_client_conn = 100\ndefault_pool_size = 20\n",
                  server.folder().string(), temp_.path().string(), temp_.path().string(), mode));
  start();
}

void PgBouncer::start() {
  Spawn spawn;
  if (::geteuid() == 0) spawn.user = Server::owner();
  process_.emplace(std::vector<std::string>{"/usr/sbin/pgbouncer", temp_.path() / "ini"}, spawn);
  const bool up =
      eventually([&] { return ::PQping(conninfo_.c_str()) == PQPING_OK || !process_->running(); });
  if (!up || !process_->running())
    throw std::runtime_error("PgBouncer does not start: " + process_->err_so_far());
}

void PgBouncer::kill9() {
  process_->signal(SIGKILL);
  process_->wait(std::chrono::seconds(10));
  process_.reset();
}

}  // namespace tusk::test
