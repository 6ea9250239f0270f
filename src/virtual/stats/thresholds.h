// The folder thresholds/: for each component of the health score where it warns and where it is
// critical, which may be written.
#pragma once

#include "virtual/live.h"
#include "virtual/stats/statistics.h"

namespace tusk::virt {

LiveEntry thresholds_folder(Statistics& statistics);

}  // namespace tusk::virt
