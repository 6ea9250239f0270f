// A PgBouncer before a server of the test, on a Unix socket of its own.
#pragma once

#include <optional>
#include <string>

#include "support/fs_server.h"
#include "support/mount.h"
#include "support/process.h"

namespace tusk::test {

class PgBouncer {
 public:
  // `mode`: session, transaction or statement.
  PgBouncer(const Server& server, std::string mode);

  const std::string& conninfo() const { return conninfo_; }
  void start();
  void kill9();

 private:
  TempFolder temp_;
  std::string conninfo_;
  std::optional<Child> process_;
};

}  // namespace tusk::test
