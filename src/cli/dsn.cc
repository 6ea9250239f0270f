#include <fmt/format.h>

#include <cstdio>

#include "cli/report.h"
#include "cli/verbs.h"
#include "tuskfs/store/embedded.h"

namespace tusk::cli {

int dsn(const DsnRequest& request) {
  const std::string folder =
      request.data_dir.empty() ? store::default_data_dir() : request.data_dir;
  const auto cluster = store::EmbeddedCluster::claim(folder);
  if (!cluster) return report(cluster.error());
  (*cluster)->leave_running();
  fmt::print("{}\n", (*cluster)->conninfo());
  return kDone;
}

}  // namespace tusk::cli
