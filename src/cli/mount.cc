#include <filesystem>

#include "cli/daemon.h"
#include "cli/driver.h"
#include "cli/mountpoint.h"
#include "cli/report.h"
#include "cli/verbs.h"
#include "tuskfs/store/embedded.h"

namespace tusk::cli {
namespace {

// The daemon leaves the working folder.
Result<void> settle(MountRequest& request) {
  TRY_ASSIGN(request.mountpoint, claim_mountpoint(request.mountpoint));
  if (request.source.embedded()) {
    std::string& folder = request.source.data_dir;
    if (folder.empty()) folder = store::default_data_dir();
    folder = std::filesystem::weakly_canonical(std::filesystem::absolute(folder));
  }
  if (!request.log_file.empty()) {
    request.log_file =
        std::filesystem::weakly_canonical(std::filesystem::absolute(request.log_file));
  }
  return check_apart(request);
}

}  // namespace

int mount(MountRequest request) {
  if (const auto settled = settle(request); !settled) return report(settled.error());
  Daemon daemon;
  if (!request.foreground) {
    auto forked = Daemon::fork_off();
    if (!forked) return report(forked.error());
    daemon = *std::move(forked);
  }
  const auto configured = log::configure(
      {.file = request.log_file, .level = request.log_level, .to_syslog = daemon.detached()});
  if (!configured) {
    daemon.failed(configured.error());
    return kFailed;
  }
  return drive(request, daemon);
}

}  // namespace tusk::cli
