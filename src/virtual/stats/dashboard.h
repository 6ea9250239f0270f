// Everything on one screen: as text of at most 80 columns, and as a page.
#pragma once

#include "virtual/stats/health.h"

namespace tusk::virt {

std::vector<std::string> dashboard_statistics();
std::string dashboard_text(const Statistics::Tables& tables, WallTime now);
// The document that the page draws itself from.
Json dashboard_json(const Statistics::Tables& tables, const Result<store::ServerFacts>& server,
                    WallTime now);

}  // namespace tusk::virt
