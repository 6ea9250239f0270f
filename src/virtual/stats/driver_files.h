// stats/fs/: what the driver of the mount did itself. Nothing is asked of the database for it.
#pragma once

#include "tuskfs/virtual/sidecar.h"
#include "virtual/live.h"
#include "virtual/stats/metrics.h"

namespace tusk::virt {

LiveEntry driver_folder(Executor& executor, DriverFacts facts);
// The same for metrics.
void add_driver_metrics(Metrics& metrics, const DriverFacts& driver);

}  // namespace tusk::virt
