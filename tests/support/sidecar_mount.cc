#include "support/sidecar_mount.h"

#include <signal.h>
#include <sys/mount.h>

#include <stdexcept>
#include <thread>

namespace tusk::test {
namespace {

std::filesystem::path made(const std::filesystem::path& folder) {
  std::filesystem::create_directory(folder);
  return folder;
}

}  // namespace

SidecarMount::SidecarMount(const std::string& conninfo)
    : path_(made(temp_.path() / "side")),
      driver_({TUSKFS_BINARY, "sidecar", "-f", conninfo, path_.string()}) {
  for (int i = 0; i < 600 && !is_mounted(path_) && driver_.running(); i++)
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  if (!is_mounted(path_)) throw std::runtime_error("no sidecar: " + driver_.err_so_far());
}

SidecarMount::~SidecarMount() {
  driver_.signal(SIGTERM);
  driver_.wait(std::chrono::seconds(20));
  ::umount2(path_.c_str(), MNT_DETACH);
}

}  // namespace tusk::test
