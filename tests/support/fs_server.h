// A PostgreSQL server that a test starts, stops, kills and starves; a mount is given its conninfo.
#pragma once

#include <signal.h>

#include <memory>
#include <string>
#include <vector>

#include "support/fs_calls.h"
#include "support/mount.h"
#include "support/process.h"

namespace tusk::test {

class Server;

struct ServerSetup {
  Path data;                          // existing empty folder; empty: in a temporary one
  std::vector<std::string> settings;  // "name=value"
  const Server* primary = nullptr;    // whose streaming standby it is to be
};

class Server {
 public:
  explicit Server(ServerSetup setup = {});  // made and started
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  ~Server();

  const std::string& conninfo() const { return conninfo_; }
  pid_t pid() const { return postmaster_ ? postmaster_->pid() : -1; }
  void start();
  void stop();   // as "pg_ctl stop -m fast"
  void crash();  // as "pg_ctl stop -m immediate"
  void kill9();  // the postmaster alone: its children follow by themselves
  void kill9_all();
  // All its processes, as when its host hangs.
  void freeze() const { signal_all(SIGSTOP); }
  void thaw() const { signal_all(SIGCONT); }
  // A standby becomes a primary; returns when it takes writes.
  void promote() const;
  // Its commits wait for its standby from now on, which has all there is when this returns.
  void await_standby() const;
  Path folder() const { return temp_.path(); }  // of its socket
  // Whom the server's files belong to.
  static User owner();

 private:
  bool started();
  void signal_all(int number) const;

  TempFolder temp_;
  Path data_;
  std::vector<std::string> settings_;
  std::string conninfo_;
  std::optional<Child> postmaster_;
};

// "host=A,B …" of two servers.
std::string conninfo_of_both(const Server& first, const Server& second);

// Path of a program that belongs to the newest PostgreSQL of this machine.
std::string postgres_program(const std::string& name);

}  // namespace tusk::test
