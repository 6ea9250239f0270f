// The process behind a mount: everything wired together, served, flushed and taken apart.
#pragma once

#include "cli/daemon.h"
#include "cli/requests.h"

namespace tusk::cli {

// Mounts, tells `daemon` when ready, and serves until unmounted or told to stop. Returns the exit
// status: 0 only when everything is committed. Paths in `request` are absolute.
int drive(const MountRequest& request, Daemon& daemon);

}  // namespace tusk::cli
