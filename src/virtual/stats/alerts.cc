#include "virtual/stats/alerts.h"

#include <fmt/format.h>

#include "tuskfs/base/times.h"
#include "virtual/stats/made_file.h"

namespace tusk::virt {
namespace {

using vfs::Reply;

// A field as a cell: numbers as they are, strings without their quotes.
std::optional<std::string> cell_of(const Json& object, const char* key) {
  if (!object.contains(key) || object[key].is_null()) return std::nullopt;
  return object[key].is_string() ? object[key].get<std::string>() : object[key].dump();
}

store::StatTable table_of(const Json& rows, const std::vector<const char*>& columns) {
  store::StatTable table;
  for (const char* name : columns)
    table.columns.push_back(
        {name, std::string_view(name) == "value" || std::string_view(name) == "threshold"});
  for (const Json& row : rows) {
    auto& cells = table.rows.emplace_back();
    for (const char* name : columns) cells.push_back(cell_of(row, name));
  }
  return table;
}

std::string problem_line(const AlertsNow& alerts) {
  return alerts.problem.empty() ? "" : fmt::format("# {}\n", alerts.problem);
}

std::string log_text(const AlertsNow& alerts) {
  return problem_line(alerts) + text_of(table_of(alerts.events, {"at", "event", "severity", "name",
                                                                 "value", "threshold", "message"}));
}

std::string all_text(const AlertsNow& alerts) {
  return problem_line(alerts) + alerts_text(alerts, true);
}

std::string json_text(const AlertsNow& alerts, const char* statistic, const Json& rows) {
  Json json = {{"schema_version", kSchemaVersion},
               {"measured_at", time_text(alerts.measured_at)},
               {"statistic", statistic},
               {"rows", rows}};
  if (!alerts.problem.empty()) json["error"] = alerts.problem;
  return pretty(json);
}

std::string open_json(const AlertsNow& alerts) { return json_text(alerts, "alerts", alerts.open); }

std::string log_json(const AlertsNow& alerts) {
  return json_text(alerts, "alerts.log", alerts.events);
}

class AlertsFile : public LiveFile {
 public:
  using Make = std::string (*)(const AlertsNow&);
  AlertsFile(AlertSampler& sampler, Make make) : sampler_(sampler), make_(make) {}

  void render(Reply<Rendered> done) override {
    sampler_.get([make = make_, done = std::move(done)](const AlertSampler::Shared& now) mutable {
      done(Rendered{std::make_shared<const std::string>(make(*now)), now->measured_at});
    });
  }

 protected:
  AlertSampler& sampler_;

 private:
  const Make make_;
};

class OpenAlerts final : public AlertsFile {
 public:
  explicit OpenAlerts(AlertSampler& sampler) : AlertsFile(sampler, all_text) {}

  mode_t permissions() const override { return 0644; }
  bool can_be_watched() const override { return true; }
  void watch(vfs::Wake changed) override { sampler_.watch(std::move(changed)); }
  void take(std::string_view text, Reply<void> done) override {
    sampler_.take(text, std::move(done));
  }
};

}  // namespace

std::string alerts_text(const AlertsNow& alerts, bool with_silenced) {
  Json shown = Json::array();
  for (Json alert : alerts.open) {
    if (alert["state"] == "silenced" && !with_silenced) continue;
    std::string message = cell_of(alert, "message").value_or("");
    if (alert["state"] == "acknowledged") message += " (acknowledged)";
    if (alert["state"] == "silenced")
      message += fmt::format(" (silenced until {})", cell_of(alert, "silenced_until").value_or(""));
    alert["message"] = std::move(message);
    shown.push_back(std::move(alert));
  }
  return text_of(table_of(shown, {"severity", "name", "since", "value", "threshold", "message"}));
}

std::vector<LiveEntry> alert_files(AlertSampler& sampler) {
  std::vector<LiveEntry> files;
  files.push_back(live_file("alerts", std::make_unique<OpenAlerts>(sampler)));
  files.push_back(live_file("alerts.json", std::make_unique<AlertsFile>(sampler, open_json)));
  files.push_back(live_file("alerts.log", std::make_unique<AlertsFile>(sampler, log_text)));
  files.push_back(live_file("alerts.log.json", std::make_unique<AlertsFile>(sampler, log_json)));
  return files;
}

}  // namespace tusk::virt
