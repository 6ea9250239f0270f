// Which files stats/ has.
#pragma once

#include "tuskfs/virtual/sidecar.h"
#include "virtual/live.h"
#include "virtual/stats/alert_sampler.h"
#include "virtual/stats/statistics.h"

namespace tusk::virt {

// All must outlive the folder. Without a meter there are no figures of the driver.
LiveEntry stats_folder(Statistics& statistics, AlertSampler& alerts, const DriverFacts& driver);

}  // namespace tusk::virt
