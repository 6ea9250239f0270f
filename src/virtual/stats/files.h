// Which files stats/ has.
#pragma once

#include "virtual/live.h"
#include "virtual/stats/statistics.h"

namespace tusk::virt {

// `statistics` must outlive the folder.
LiveEntry stats_folder(Statistics& statistics);

}  // namespace tusk::virt
