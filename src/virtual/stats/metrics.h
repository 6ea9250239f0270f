// OpenMetrics: what Prometheus scrapes.
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tuskfs/vfs/meter.h"
#include "virtual/stats/alert_sampler.h"
#include "virtual/stats/health.h"

namespace tusk::virt {

// OpenMetrics, family by family.
// Labels are names of components, states and databases: bounded, and never the text of a query.
class Metrics {
 public:
  void family(std::string_view name, std::string_view help, std::string_view type = "gauge") {
    name_ = name;
    out_ += fmt::format("# TYPE {} {}\n# HELP {} {}\n", name, type, name, help);
  }
  void sample(std::string_view value) { out_ += fmt::format("{} {}\n", name_, value); }
  void sample(std::string_view label, std::string_view of, std::string_view value) {
    out_ += fmt::format("{}{{{}=\"{}\"}} {}\n", name_, label, escaped(of), value);
  }
  void labelled(const std::vector<std::pair<const char*, std::string>>& labels,
                std::string_view value, std::string_view suffix = "") {
    std::string all;
    for (const auto& [label, of] : labels)
      all += fmt::format("{}{}=\"{}\"", all.empty() ? "" : ",", label, escaped(of));
    out_ += fmt::format("{}{}{{{}}} {}\n", name_, suffix, all, value);
  }
  // A column of a table, one sample for each row that has it.
  void column(const store::StatTable& table, const char* label, const char* value) {
    const auto of = table.column(label), number = table.column(value);
    if (!of || !number) return;
    for (const auto& row : table.rows)
      if (row[*of] && row[*number]) sample(label, *row[*of], *row[*number]);
  }
  std::string finish() { return std::move(out_) + "# EOF\n"; }

 private:
  static std::string escaped(std::string_view text) {
    std::string out;
    for (const char c : text) {
      if (c == '\\' || c == '"') out.push_back('\\');
      if (c == '\n') {
        out += "\\n";
      } else {
        out.push_back(c);
      }
    }
    return out;
  }

  std::string out_;
  std::string_view name_;
};

std::vector<std::string> metrics_statistics();
// `meter`: of the driver, or null.
std::string metrics_text(const Statistics::Tables& tables, const AlertsNow& alerts,
                         const vfs::Meter* meter, WallTime now);

}  // namespace tusk::virt
