#include "support/fs_server.h"

#include <libpq-fe.h>
#include <pwd.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <stdexcept>

#include "support/fs_sql.h"

namespace tusk::test {

std::string postgres_program(const std::string& name) {
  std::vector<std::pair<int, Path>> found;
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator("/usr/lib/postgresql", none)) {
    const Path program = entry.path() / "bin" / name;
    if (present(program)) found.emplace_back(std::atoi(entry.path().filename().c_str()), program);
  }
  if (found.empty()) return name;
  return std::max_element(found.begin(), found.end())->second;
}

User Server::owner() {
  if (::geteuid() != 0) return {::getuid(), ::getgid()};
  const passwd* entry = ::getpwnam("postgres");
  if (entry == nullptr) throw std::runtime_error("there is no user postgres");
  return {entry->pw_uid, entry->pw_gid};
}

namespace {

Spawn as_owner() {
  Spawn spawn;
  if (::geteuid() == 0) spawn.user = Server::owner();
  return spawn;
}

}  // namespace

Server::Server(ServerSetup setup)
    : temp_(owner()),
      data_(setup.data.empty() ? temp_.path() / "data" : setup.data),
      settings_(std::move(setup.settings)),
      conninfo_("host=" + temp_.path().string() + " dbname=postgres user=postgres") {
  if (setup.primary != nullptr) {
    run_ok({postgres_program("pg_basebackup"), "-D", data_, "-d",
            setup.primary->conninfo() + " application_name=standby", "-X", "stream", "-c", "fast",
            "-R", "--no-sync", "--waldir", temp_.path() / "wal"},
           as_owner());
  } else {
    run_ok({postgres_program("initdb"), "-D", data_, "-U", "postgres", "-A", "trust", "-E", "UTF8",
            "--locale=C", "--data-checksums", "--no-sync", "--waldir", temp_.path() / "wal"},
           as_owner());
  }
  start();
}

Server::~Server() {
  if (!postmaster_) return;
  thaw();
  postmaster_->signal(SIGQUIT);
  postmaster_->wait(std::chrono::seconds(20));
}

void Server::start() {
  if (postmaster_) return;
  std::vector<std::string> args = {
      postgres_program("postgres"), "-D", data_,      "-k", temp_.path(), "-c",
      "listen_addresses=",          "-c", "fsync=off"};
  for (const std::string& setting : settings_) args.insert(args.end(), {"-c", setting});
  // A server that was killed leaves shared memory behind until its last child has noticed.
  const bool up = eventually(
      [&] {
        if (!postmaster_ || !postmaster_->running()) postmaster_.emplace(args, as_owner());
        return started();
      },
      std::chrono::seconds(60));
  if (!up) throw std::runtime_error("the server does not start: " + postmaster_->err_so_far());
}

bool Server::started() {
  return eventually(
             [&] { return ::PQping(conninfo_.c_str()) == PQPING_OK || !postmaster_->running(); },
             std::chrono::seconds(30)) &&
         postmaster_->running();
}

void Server::stop() {
  if (!postmaster_) return;
  postmaster_->signal(SIGINT);
  postmaster_->wait(std::chrono::seconds(60));
  postmaster_.reset();
}

void Server::crash() {
  if (!postmaster_) return;
  postmaster_->signal(SIGQUIT);
  postmaster_->wait(std::chrono::seconds(60));
  postmaster_.reset();
}

void Server::kill9() {
  if (!postmaster_) return;
  postmaster_->signal(SIGKILL);
  postmaster_->wait(std::chrono::seconds(10));
  postmaster_.reset();
}

void Server::signal_all(int number) const {
  if (!postmaster_) return;
  // The postmaster first: it would replace those of its children that die.
  std::vector<pid_t> pids = {postmaster_->pid()};
  const std::string pid = std::to_string(postmaster_->pid());
  std::ifstream children("/proc/" + pid + "/task/" + pid + "/children");
  for (pid_t child = 0; children >> child;) pids.push_back(child);
  for (const pid_t each : pids) ::kill(each, number);
}

void Server::kill9_all() {
  signal_all(SIGKILL);
  kill9();
}

void Server::promote() const { Sql(conninfo_).value("select pg_promote()"); }

void Server::await_standby() const {
  Sql sql(conninfo_);
  sql.run("alter system set synchronous_standby_names = '*'");
  sql.run("select pg_reload_conf()");
  const bool is_sync = eventually([&] {
    return sql.number("select count(*) from pg_stat_replication where sync_state = 'sync'") == 1;
  });
  if (!is_sync) throw std::runtime_error("the standby does not follow");
}

std::string conninfo_of_both(const Server& first, const Server& second) {
  return "host=" + first.folder().string() + "," + second.folder().string() +
         " dbname=postgres user=postgres";
}

}  // namespace tusk::test
