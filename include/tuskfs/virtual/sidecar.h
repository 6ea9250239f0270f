// The sidecar: monitoring of a database as virtual files.
#pragma once

#include <memory>
#include <string>

#include "tuskfs/base/executor.h"
#include "tuskfs/store/collector.h"
#include "tuskfs/vfs/vfs.h"

namespace tusk::virt {

struct SidecarSetup {
  uid_t uid = 0;  // whose the files are
  gid_t gid = 0;
  // Answers user.tusk.status of the root of a mount of its own.
  std::function<std::string()> status_text = {};
};

// A tree of its own. Everything given must outlive what is returned.
std::unique_ptr<vfs::Vfs> sidecar(Executor&, store::Collector&, SidecarSetup);

}  // namespace tusk::virt
