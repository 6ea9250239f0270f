// The health score and what it is made of.
#pragma once

#include "virtual/stats/text.h"

namespace tusk::virt {

struct Health {
  std::optional<int> score;  // empty: nothing of it can be measured
  std::string status;        // ok, warning, critical, unknown
  std::string reason;        // why it is capped; empty: it is not
  WallTime measured_at{};
  const store::StatTable* components = nullptr;  // null: the server cannot be reached
};

inline const std::vector<std::string> kHealthStatistics = {"health", "health_components"};

// Of kHealthStatistics; valid as long as `tables` is.
Health health_of(const Statistics::Tables& tables, WallTime now);

std::string health_text(const Health& health);
// With its components, and without.
Json health_json(const Health& health);
Json score_json(const Health& health);

}  // namespace tusk::virt
