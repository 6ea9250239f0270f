#include "virtual/stats/metrics.h"

#include <fmt/format.h>

#include "tuskfs/base/times.h"
#include "virtual/stats/driver_files.h"

namespace tusk::virt {
namespace {

// Several rows of one label are one sample.
store::StatTable rows_where(const store::StatTable& table, const char* column,
                            std::string_view wanted) {
  store::StatTable out;
  out.columns = table.columns;
  const auto at = table.column(column);
  for (const auto& row : table.rows)
    if (at && row[*at] == wanted) out.rows.push_back(row);
  return out;
}

std::string escaped(std::string_view text) {
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

std::string braced(const Metrics::Labels& labels) {
  std::string all;
  for (const auto& [label, of] : labels)
    all += fmt::format("{}{}=\"{}\"", all.empty() ? "" : ",", label, escaped(of));
  return all.empty() ? all : "{" + all + "}";
}

}  // namespace

void Metrics::column(const store::StatTable& table, const char* label, const char* value) {
  const auto of = table.column(label), number = table.column(value);
  if (!of || !number) return;
  for (const auto& row : table.rows)
    if (row[*of] && row[*number]) labelled({{label, *row[*of]}}, *row[*number]);
}

std::string Metrics::text() const {
  std::string out;
  for (const Family& family : families_) {
    out += fmt::format("# TYPE {0} {1}\n# HELP {0} {2}\n", family.name, family.type, family.help);
    for (const Sample& sample : family.samples)
      out += fmt::format("{}{}{} {}\n", family.name, sample.suffix, braced(sample.labels),
                         sample.value);
  }
  return out + "# EOF\n";
}

Json Metrics::json(WallTime measured_at) const {
  Json rows = Json::array();
  for (const Family& family : families_) {
    for (const Sample& sample : family.samples) {
      Json labels = Json::object();
      for (const auto& [label, of] : sample.labels) labels[label] = of;
      rows.push_back({{"name", family.name + sample.suffix},
                      {"type", family.type},
                      {"labels", std::move(labels)},
                      {"value", number_of(sample.value)}});
    }
  }
  return {{"schema_version", kSchemaVersion},
          {"measured_at", time_text(measured_at)},
          {"statistic", "metrics"},
          {"rows", std::move(rows)}};
}

std::vector<std::string> metrics_statistics() {
  return {"health", "health_components", "cache_hit", "connections", "sizes"};
}

Metrics metrics_of(const Statistics::Tables& tables, const AlertsNow& alerts,
                   const DriverFacts& driver, WallTime now) {
  const Health health = health_of(tables, now);
  Metrics out;
  out.family("tusk_up", "Whether the server answered, 1 or 0.");
  out.sample(health.components ? "1" : "0");
  out.family("tusk_health_score", "Health of the database, 0 to 100.");
  if (health.score) out.sample(std::to_string(*health.score));
  if (health.components) {
    out.family("tusk_health_component_value", "What was measured, in the component's unit.");
    out.column(*health.components, "component", "value");
    out.family("tusk_health_component_score", "How good that is: 1 good, 0.5 warning, 0 critical.");
    out.column(*health.components, "component", "score");
    out.family("tusk_health_component_weight", "How much it counts.");
    out.column(*health.components, "component", "weight");
  }
  out.family("tusk_alert", "1 for each alert that is open and not silenced.");
  for (const Json& alert : alerts.open)
    if (alert["state"] != "silenced")
      out.labelled({{"name", alert["name"]}, {"severity", alert["severity"]}}, "1");
  if (const auto& hits = *tables.at("cache_hit")) {
    out.family("pg_cache_hit_percent", "Blocks found in shared buffers.");
    out.column(*hits, "kind", "hit_pct");
  }
  if (const auto& connections = *tables.at("connections")) {
    out.family("pg_connections", "Client backends by state.");
    out.column(*connections, "state", "connections");
  }
  if (const auto& sizes = *tables.at("sizes")) {
    out.family("pg_database_size_bytes", "Size of each database on disk.");
    out.column(rows_where(*sizes, "kind", "database"), "name", "bytes");
  }
  if (driver.meter) add_driver_metrics(out, driver);
  return out;
}

}  // namespace tusk::virt
