// Figures for machines: what Prometheus scrapes, and the same as JSON.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tuskfs/virtual/sidecar.h"
#include "virtual/stats/alert_sampler.h"
#include "virtual/stats/health.h"

namespace tusk::virt {

// Families of samples. Labels are names of components, states and databases: bounded, and never the
// text of a query. Values are written as they are given.
class Metrics {
 public:
  using Labels = std::vector<std::pair<const char*, std::string>>;

  void family(std::string_view name, std::string_view help, std::string_view type = "gauge") {
    families_.push_back({std::string(name), std::string(help), std::string(type), {}});
  }
  // Of the family that was begun last.
  void sample(std::string_view value) { labelled({}, value); }
  void labelled(Labels labels, std::string_view value, std::string_view suffix = "") {
    families_.back().samples.push_back(
        {std::string(suffix), std::move(labels), std::string(value)});
  }
  // A column of a table, one sample for each row that has it.
  void column(const store::StatTable& table, const char* label, const char* value);

  // OpenMetrics.
  std::string text() const;
  // {"schema_version", "measured_at", "statistic", "rows": [{"name", "type", "labels", "value"}]}
  Json json(WallTime measured_at) const;

 private:
  struct Sample {
    std::string suffix;
    Labels labels;
    std::string value;
  };
  struct Family {
    std::string name, help, type;
    std::vector<Sample> samples;
  };

  std::vector<Family> families_;
};

std::vector<std::string> metrics_statistics();
Metrics metrics_of(const Statistics::Tables& tables, const AlertsNow& alerts,
                   const DriverFacts& driver, WallTime now);

}  // namespace tusk::virt
