// The sidecar: monitoring of a database, and its cache, as virtual files.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tuskfs/base/executor.h"
#include "tuskfs/base/result.h"
#include "tuskfs/vfs/vfs.h"

namespace tusk::virt {

struct SidecarSetup {
  std::string conninfo;  // may hold a password: never logged
  uid_t uid = 0;         // whose the files are
  gid_t gid = 0;
  // Its root is the mount's; else it is shown in another tree (see Setup::sidecar).
  bool alone = true;
  // Answers user.tusk.status of the root of a mount of its own.
  std::function<std::string()> status_text = {};
};

// The folders it has.
std::vector<std::string> sidecar_names();

// It connects when something is asked of it. The executor must outlive it.
std::unique_ptr<vfs::Vfs> sidecar(Executor&, SidecarSetup);

}  // namespace tusk::virt
