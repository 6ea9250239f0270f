// The sidecar: monitoring of a database, and its cache, as virtual files.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tuskfs/base/executor.h"
#include "tuskfs/base/result.h"
#include "tuskfs/vfs/meter.h"
#include "tuskfs/vfs/vfs.h"

namespace tusk::virt {

// What the driver tells of itself.
struct DriverFacts {
  vfs::Meter* meter = nullptr;               // null: there is no stats/fs/
  std::function<std::string()> status = {};  // as user.tusk.status: JSON
};

struct SidecarSetup {
  std::string conninfo;  // may hold a password: never logged
  uid_t uid = 0;         // whose the files are
  gid_t gid = 0;
  // Called on a worker thread before each attempt to connect, to start a server that is down; may
  // be empty.
  std::function<void()> before_connect = {};
  // Its root is the mount's; else it is shown in another tree (see Setup::sidecar).
  bool alone = true;
  // Between two samples for alerts, while somebody reads them.
  std::chrono::milliseconds alerts_every{5000};
  // Answers user.tusk.status of the root of a mount of its own.
  std::function<std::string()> status_text = {};
  DriverFacts driver = {};
};

// The folders it has.
std::vector<std::string> sidecar_names();

// It connects when something is asked of it. The executor must outlive it.
std::unique_ptr<vfs::Vfs> sidecar(Executor&, SidecarSetup);

}  // namespace tusk::virt
