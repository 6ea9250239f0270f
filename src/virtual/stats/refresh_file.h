// stats/refresh: how old what was collected last is; 1 has everything that is read next collected
// anew.
#pragma once

#include <memory>

#include "virtual/live.h"
#include "virtual/stats/statistics.h"

namespace tusk::virt {

std::unique_ptr<LiveFile> refresh_file(Statistics& statistics);

}  // namespace tusk::virt
