// A PostgreSQL server that a test starts, stops, kills and starves; a mount is given its conninfo.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "support/fs_calls.h"
#include "support/mount.h"
#include "support/process.h"

namespace tusk::test {

struct ServerSetup {
  Path data;                          // existing empty folder; empty: in a temporary one
  std::vector<std::string> settings;  // "name=value"
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
  void kill9();  // the postmaster alone: its children follow by themselves
  // Whom the server's files belong to.
  static User owner();

 private:
  bool started();

  TempFolder temp_;
  Path data_;
  std::vector<std::string> settings_;
  std::string conninfo_;
  std::optional<Child> postmaster_;
};

// Path of a program that belongs to the newest PostgreSQL of this machine.
std::string postgres_program(const std::string& name);

}  // namespace tusk::test
