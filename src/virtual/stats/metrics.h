// OpenMetrics: what Prometheus scrapes.
#pragma once

#include "virtual/stats/health.h"

namespace tusk::virt {

std::vector<std::string> metrics_statistics();
std::string metrics_text(const Statistics::Tables& tables, WallTime now);

}  // namespace tusk::virt
