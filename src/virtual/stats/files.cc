#include "virtual/stats/files.h"

#include <fmt/format.h>

#include "tuskfs/base/times.h"
#include "virtual/stats/alerts.h"
#include "virtual/stats/dashboard.h"
#include "virtual/stats/driver_files.h"
#include "virtual/stats/health.h"
#include "virtual/stats/made_file.h"
#include "virtual/stats/metrics.h"
#include "virtual/stats/pages.h"
#include "virtual/stats/refresh_file.h"
#include "virtual/stats/report.h"
#include "virtual/stats/thresholds.h"
#include "virtual/stats/trend.h"

namespace tusk::virt {
namespace {

using vfs::Reply;

WallTime measured(const SharedTable& table, WallTime now) {
  return *table ? (*table)->measured_at : now;
}

std::string table_text(const std::string& name, const Result<store::StatTable>& table) {
  if (!table) return "# " + problem_of(table.error()) + "\n";
  const std::string remark = remark_on(name, *table);
  return remark.empty() ? text_of(*table) : "# " + remark + "\n";
}

Json table_json(const std::string& name, const Result<store::StatTable>& table, WallTime now) {
  store::StatTable none;
  none.measured_at = now;
  Json json = json_of(name, table ? *table : none);
  const std::string problem = table ? remark_on(name, *table) : problem_of(table.error());
  if (!problem.empty()) json["error"] = problem;
  return json;
}

// What the dashboard's document is made of, asked for one after the other.
struct DashboardSources {
  Statistics& statistics;
  AlertSampler& alerts;
  std::shared_ptr<Trend> trend;

  using Done =
      std::move_only_function<void(const Statistics::Tables& tables, const DashboardFacts& facts)>;
  void get(const std::vector<std::string>& names, Done done) const {
    statistics.collector().facts([sources = *this, names, done = std::move(done)](
                                     Result<store::ServerFacts> server) mutable {
      sources.get_alerts(names, std::move(server), std::move(done));
    });
  }

 private:
  void get_alerts(const std::vector<std::string>& names, Result<store::ServerFacts> server,
                  Done done) const {
    alerts.get([sources = *this, names, server = std::move(server),
                done = std::move(done)](AlertSampler::Shared open) mutable {
      sources.get_tables(names, {std::move(server), *open, {}}, std::move(done));
    });
  }
  void get_tables(const std::vector<std::string>& names, DashboardFacts facts, Done done) const {
    statistics.collector().trend([sources = *this, names, facts = std::move(facts),
                                  done = std::move(done)](Result<std::string> captured) mutable {
      const std::string past = captured.value_or("[]");
      sources.statistics.get_all(names, [sources, past, facts = std::move(facts),
                                         done = std::move(done)](const auto& tables) mutable {
        sources.trend->note(tables, sources.statistics.now(), sources.statistics.elapsed());
        facts.trend = sources.trend->joined(past);
        done(tables, facts);
      });
    });
  }
};

class Folder {
 public:
  Folder(Statistics& statistics, AlertSampler& alerts) : statistics_(statistics), alerts_(alerts) {}

  // A statistic, as text and as JSON.
  void add_table(const std::string& name) {
    // Texts of queries are not for everybody.
    const bool is_private = name.starts_with("slow_queries") || name == "locks";
    const MadeFile::How how{is_private ? mode_t{0440} : mode_t{0444}, Statistics::fresh_for(name)};
    Statistics& statistics = statistics_;
    add(name, how, [&statistics, name](auto done) {
      statistics.get(name, [&statistics, name, done = std::move(done)](SharedTable table) mutable {
        done(table_text(name, *table), measured(table, statistics.now()));
      });
    });
    add(name + ".json", how, [&statistics, name](auto done) {
      statistics.get(name, [&statistics, name, done = std::move(done)](SharedTable table) mutable {
        done(pretty(table_json(name, *table, statistics.now())), measured(table, statistics.now()));
      });
    });
  }

  // Of several statistics.
  using Compose = std::function<std::string(const Statistics::Tables&, WallTime now)>;
  void add_composed(const std::string& name, MadeFile::How how, std::vector<std::string> of,
                    Compose compose) {
    Statistics& statistics = statistics_;
    add(name, how, [&statistics, trend = trend_, of, compose](auto done) {
      statistics.get_all(of, [&statistics, trend, compose,
                              done = std::move(done)](const Statistics::Tables& tables) mutable {
        trend->note(tables, statistics.now(), statistics.elapsed());
        done(compose(tables, statistics.now()), measured(tables.begin()->second, statistics.now()));
      });
    });
  }

  // With the alerts.
  using ComposeAlerts =
      std::function<std::string(const Statistics::Tables&, const AlertsNow&, WallTime now)>;
  void add_alerting(const std::string& name, MadeFile::How how, std::vector<std::string> of,
                    ComposeAlerts compose) {
    Statistics& statistics = statistics_;
    add(name, how, [&statistics, &alerts = alerts_, of, compose](auto done) {
      alerts.get([&statistics, of, compose,
                  done = std::move(done)](AlertSampler::Shared now) mutable {
        statistics.get_all(of, [&statistics, compose, now,
                                done = std::move(done)](const Statistics::Tables& tables) mutable {
          done(compose(tables, *now, statistics.now()),
               measured(tables.begin()->second, statistics.now()));
        });
      });
    });
  }

  // With what is known of the server, which the pages show.
  using ComposeServed =
      std::function<std::string(const Statistics::Tables&, const DashboardFacts&, WallTime now)>;
  void add_served(const std::string& name, std::vector<std::string> of, ComposeServed compose) {
    const MadeFile::How how{0440, std::chrono::seconds(5)};
    add(name, how,
        [sources = DashboardSources{statistics_, alerts_, trend_}, of, compose](auto done) {
          sources.get(of,
                      [&statistics = sources.statistics, compose, done = std::move(done)](
                          const Statistics::Tables& tables, const DashboardFacts& facts) mutable {
                        done(compose(tables, facts, statistics.now()),
                             measured(tables.begin()->second, statistics.now()));
                      });
        });
  }

  void add(LiveEntry entry) { entries_.push_back(std::move(entry)); }
  LiveEntry finish() { return {"stats", nullptr, std::move(entries_), {}, {}}; }

 private:
  void add(const std::string& name, MadeFile::How how, MadeFile::Make make) {
    entries_.push_back(live_file(name, std::make_unique<MadeFile>(how, std::move(make))));
  }

  Statistics& statistics_;
  AlertSampler& alerts_;
  const std::shared_ptr<Trend> trend_ = std::make_shared<Trend>();
  std::vector<LiveEntry> entries_;
};

}  // namespace

LiveEntry stats_folder(Statistics& statistics, AlertSampler& alerts, const DriverFacts& driver) {
  Folder folder(statistics, alerts);
  for (const std::string& name : store::statistics())
    if (!name.starts_with("health")) folder.add_table(name);
  const MadeFile::How quick{0444, std::chrono::seconds(1)};
  folder.add_composed("health", quick, kHealthStatistics, [](const auto& tables, WallTime now) {
    return health_text(health_of(tables, now));
  });
  folder.add_composed(
      "health.json", quick, kHealthStatistics,
      [](const auto& tables, WallTime now) { return pretty(health_json(health_of(tables, now))); });
  folder.add_composed("score", quick, kHealthStatistics, [](const auto& tables, WallTime now) {
    const auto score = health_of(tables, now).score;
    return (score ? std::to_string(*score) : "n/a") + "\n";
  });
  folder.add_composed("score.json", quick, kHealthStatistics, [](const auto& tables, WallTime now) {
    return pretty(score_json(health_of(tables, now)));
  });
  for (const char* name : {"metrics", "metrics.prom"})
    folder.add_alerting(name, quick, metrics_statistics(),
                        [driver](const auto& tables, const auto& open, WallTime now) {
                          return metrics_of(tables, open, driver, now).text();
                        });
  folder.add_alerting("metrics.json", quick, metrics_statistics(),
                      [driver](const auto& tables, const auto& open, WallTime now) {
                        const WallTime at = health_of(tables, now).measured_at;
                        return pretty(metrics_of(tables, open, driver, now).json(at));
                      });
  folder.add_alerting("dashboard", {0440, std::chrono::seconds(5)}, dashboard_statistics(),
                      dashboard_text);
  folder.add_served("dashboard.json", dashboard_statistics(),
                    [](const auto& tables, const auto& facts, WallTime now) {
                      return pretty(dashboard_json(tables, facts, now));
                    });
  folder.add_served("dashboard.html", dashboard_statistics(),
                    [](const auto& tables, const auto& facts, WallTime now) {
                      return page("dashboard", dashboard_json(tables, facts, now));
                    });
  for (LiveEntry& file : alert_files(alerts)) folder.add(std::move(file));
  for (LiveEntry& entry : report_entries(statistics)) folder.add(std::move(entry));
  folder.add(thresholds_folder(statistics));
  folder.add(live_file("refresh", refresh_file(statistics)));
  return folder.finish();
}

}  // namespace tusk::virt
