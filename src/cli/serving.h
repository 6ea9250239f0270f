// What drivers of the present and of the past have in common.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "cli/database.h"
#include "cli/daemon.h"
#include "cli/requests.h"
#include "cli/stop_signals.h"
#include "tuskfs/fuse/session.h"
#include "tuskfs/store/postgres.h"

namespace tusk::cli {

store::PostgresOptions store_options(const MountRequest& request, const Database& database);
// `database`: its name, without secrets.
fuse::MountOptions fuse_options(const MountRequest& request, const std::string& database);

// Serves until unmounted or told to stop, then calls `flush` while the kernel still waits. Takes the
// session apart; the exit status.
int serve(std::unique_ptr<fuse::Session>& session, const std::string& mountpoint,
          StopSignals& signals, const std::function<bool()>& flush);

// As drive(), for a mount of `request.at`.
int drive_past(const MountRequest& request, Daemon& daemon);

}  // namespace tusk::cli
