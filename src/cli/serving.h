// What drivers of the present and of the past have in common.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "cli/daemon.h"
#include "cli/database.h"
#include "cli/requests.h"
#include "tuskfs/fuse/session.h"
#include "tuskfs/store/postgres.h"

namespace tusk::cli {

// Starts the embedded cluster again if it is down; empty for somebody else's server. As long as the
// database is open.
std::function<void()> restarting(const Database& database);
store::PostgresOptions store_options(const MountRequest& request, const Database& database);
// `database`: its name, without secrets.
fuse::MountOptions fuse_options(const MountRequest& request, const std::string& database);

// What serves a mount, with all it needs; destroyed at its end.
class Served {
 public:
  virtual ~Served() = default;
  virtual std::unique_ptr<fuse::Session>& session() = 0;
  // Of the line in the log.
  virtual std::string name() const = 0;
  // Once unmounted, while the kernel still waits. False: something is not committed.
  virtual bool flush() = 0;
};

// Sets up, tells `daemon`, serves until unmounted or told to stop; the exit status.
int drive_with(const MountRequest& request, Daemon& daemon,
               const std::function<Result<std::unique_ptr<Served>>()>& set_up);

// As drive(), for a mount of the sidecar alone.
int drive_sidecar(const MountRequest& request, Daemon& daemon);

// As drive(), for a mount of `request.at`.
int drive_past(const MountRequest& request, Daemon& daemon);

}  // namespace tusk::cli
