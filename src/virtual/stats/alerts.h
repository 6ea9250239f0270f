// The files of alerts: what is open, what has happened.
#pragma once

#include "virtual/live.h"
#include "virtual/stats/alert_sampler.h"

namespace tusk::virt {

// alerts and alerts.log, and each as JSON.
std::vector<LiveEntry> alert_files(AlertSampler& sampler);

// As a table; what is silenced only if asked for.
std::string alerts_text(const AlertsNow& alerts, bool with_silenced);

}  // namespace tusk::virt
