// The weekly report as files, and the reports of past weeks.
#pragma once

#include <vector>

#include "virtual/live.h"
#include "virtual/stats/statistics.h"

namespace tusk::virt {

// weekly_report.txt, .md, .html, .json, and the folder reports/. `statistics` must outlive them.
std::vector<LiveEntry> report_entries(Statistics& statistics);

}  // namespace tusk::virt
