#include "virtual/stats/dashboard.h"

#include <fmt/format.h>

#include <sstream>

#include "tuskfs/base/times.h"
#include "virtual/stats/alerts.h"

namespace tusk::virt {
namespace {

constexpr std::size_t kColumns = 80;
constexpr std::size_t kMostRows = 5;
// What is shown of each statistic: the columns that fit.
struct Section {
  const char* statistic;
  const char* title;
  std::vector<const char*> columns;
};
const std::vector<Section> kSections = {
    {"tables",
     "Biggest tables",
     {"table_name", "total_size", "live_rows", "dead_rows", "dead_pct"}},
    {"indexes", "Indexes", {"index_name", "table_name", "size", "scans"}},
    {"cache_hit", "Found in memory", {"kind", "hits", "reads", "hit_pct"}},
    {"connections", "Connections", {"state", "connections", "pct_of_max"}},
    {"slow_queries", "Slow queries", {"mean_ms", "calls", "query"}},
    {"usage", "Files and cache", {"kind", "name", "items", "size", "pct"}},
};

// Cut at the last whole character that fits.
std::string cut(std::string text) {
  std::size_t width = 0, at = 0;
  while (at < text.size() && width < kColumns) {
    at++;
    while (at < text.size() && (text[at] & 0xc0) == 0x80) at++;
    width++;
  }
  text.resize(at);
  return text;
}

store::StatTable only(const store::StatTable& table, const std::vector<const char*>& wanted) {
  store::StatTable out;
  std::vector<std::size_t> at;
  for (const char* name : wanted) {
    const auto column = table.column(name);
    if (!column) continue;
    at.push_back(*column);
    out.columns.push_back(table.columns[*column]);
  }
  for (const auto& row : table.rows) {
    if (out.rows.size() == kMostRows) break;
    auto& cells = out.rows.emplace_back();
    for (const std::size_t column : at) cells.push_back(row[column]);
  }
  return out;
}

std::string section_text(const Section& section, const Result<store::StatTable>& table) {
  std::string out = fmt::format("\n{}\n", section.title);
  if (!table) return out + problem_of(table.error()) + "\n";
  if (const std::string remark = remark_on(section.statistic, *table); !remark.empty())
    return out + "off: cat stats/slow_queries says how to turn them on\n";
  if (table->rows.empty()) return out + "none\n";
  out += text_of(only(*table, section.columns));
  for (const std::string& advice : advice_in(*table)) out += "# " + advice + "\n";
  return out;
}

}  // namespace

std::vector<std::string> dashboard_statistics() {
  std::vector<std::string> names = store::statistics();
  return names;
}

std::string dashboard_text(const Statistics::Tables& tables, const AlertsNow& alerts,
                           WallTime now) {
  const Health health = health_of(tables, now);
  std::string text =
      fmt::format("Health {} {}  at {}\n", health.score ? std::to_string(*health.score) : "n/a",
                  health.status, time_text(health.measured_at));
  if (!health.reason.empty()) text += "# " + health.reason + "\n";
  if (health.components) {
    text += text_of(only(*health.components, {"component", "value", "unit", "score"}));
  }
  if (!alerts.open.empty()) text += "\nAlerts\n" + alerts_text(alerts, false);
  for (const Section& section : kSections)
    text += section_text(section, *tables.at(section.statistic));
  std::istringstream lines(text);
  std::string out;
  for (std::string line; std::getline(lines, line);) out += cut(line) + "\n";
  return out;
}

Json dashboard_json(const Statistics::Tables& tables, const DashboardFacts& facts, WallTime now) {
  const Health health = health_of(tables, now);
  Json out = {
      {"schema_version", kSchemaVersion},
      {"measured_at", time_text(health.measured_at)},
      {"database", facts.server ? Json(facts.server->database) : Json(nullptr)},
      {"server", facts.server ? Json("PostgreSQL " + facts.server->version) : Json(nullptr)},
      {"health", health_json(health)}};
  for (const auto& [name, table] : tables)
    if (!name.starts_with("health")) out[name] = section_of(name, *table);
  out["alerts"] = facts.alerts.open;
  out["trend"] = facts.trend;
  return out;
}

}  // namespace tusk::virt
