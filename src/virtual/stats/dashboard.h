// Everything on one screen: as text of at most 80 columns, and as a page.
#pragma once

#include "virtual/stats/alert_sampler.h"
#include "virtual/stats/health.h"

namespace tusk::virt {

std::vector<std::string> dashboard_statistics();
std::string dashboard_text(const Statistics::Tables& tables, const AlertsNow& alerts, WallTime now);
// What the page shows besides the statistics.
struct DashboardFacts {
  Result<store::ServerFacts> server;
  AlertsNow alerts;
  Json trend;  // as Trend gives it
};
// The document that the page draws itself from.
Json dashboard_json(const Statistics::Tables& tables, const DashboardFacts& facts, WallTime now);

}  // namespace tusk::virt
