#include "virtual/stats/health.h"

#include <fmt/format.h>

#include "tuskfs/base/times.h"

namespace tusk::virt {
namespace {

constexpr const char* kShown[] = {"component", "value", "unit", "weight",
                                  "score",     "good",  "warn", "crit"};

}  // namespace

Health health_of(const Statistics::Tables& tables, WallTime now) {
  const auto& summary = *tables.at("health");
  const auto& components = *tables.at("health_components");
  if (!summary || !components) {
    const Error& error = summary ? components.error() : summary.error();
    return {.score = 0, .status = "critical", .reason = problem_of(error), .measured_at = now};
  }
  const auto& row = summary->rows.at(0);
  const auto cell = [&](const char* name) { return row[*summary->column(name)]; };
  Health health{.score = {},
                .status = cell("status").value_or("unknown"),
                .reason = cell("reason").value_or(""),
                .measured_at = summary->measured_at,
                .components = &*components};
  if (const auto score = cell("score")) health.score = std::stoi(*score);
  return health;
}

std::string health_text(const Health& health) {
  std::string out = health.score ? fmt::format("score {}\n", *health.score) : "score n/a\n";
  out += fmt::format("status {}\n", health.status);
  if (!health.reason.empty()) out += fmt::format("reason {}\n", health.reason);
  if (!health.components) return out;
  store::StatTable shown;
  for (const char* name : kShown)
    shown.columns.push_back(
        {name, std::string_view(name) != "component" && std::string_view(name) != "unit"});
  for (const auto& row : health.components->rows) {
    auto& cells = shown.rows.emplace_back();
    for (const char* name : kShown) cells.push_back(row[*health.components->column(name)]);
  }
  return out + text_of(shown);
}

Json score_json(const Health& health) {
  return {{"schema_version", kSchemaVersion},
          {"measured_at", time_text(health.measured_at)},
          {"score", health.score ? Json(*health.score) : Json(nullptr)},
          {"status", health.status},
          {"reason", health.reason.empty() ? Json(nullptr) : Json(health.reason)}};
}

Json health_json(const Health& health) {
  Json out = score_json(health);
  out["components"] = Json::array();
  if (health.components)
    out["components"] = json_of("health_components", *health.components)["rows"];
  // psql's way of writing a boolean.
  for (Json& component : out["components"]) component["advisory"] = component["advisory"] == "t";
  return out;
}

}  // namespace tusk::virt
