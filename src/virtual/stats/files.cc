#include "virtual/stats/files.h"

#include <fmt/format.h>

#include "tuskfs/base/times.h"
#include "virtual/stats/dashboard.h"
#include "virtual/stats/health.h"
#include "virtual/stats/metrics.h"
#include "virtual/stats/pages.h"
#include "virtual/stats/thresholds.h"

namespace tusk::virt {
namespace {

using vfs::Reply;

// A file whose text a function makes.
class MadeFile final : public LiveFile {
 public:
  struct How {
    mode_t permissions = 0444;
    std::chrono::nanoseconds fresh_for = std::chrono::seconds(1);
  };
  using Make = std::function<void(std::move_only_function<void(std::string, WallTime)>)>;
  MadeFile(How how, Make make) : how_(how), make_(std::move(make)) {}

  mode_t permissions() const override { return how_.permissions; }
  std::chrono::nanoseconds fresh_for() const override { return how_.fresh_for; }
  void render(Reply<Rendered> done) override {
    make_([done = std::move(done)](std::string text, WallTime measured_at) mutable {
      done(Rendered{std::make_shared<const std::string>(std::move(text)), measured_at});
    });
  }

 private:
  const How how_;
  const Make make_;
};

std::string pretty(const Json& json) {
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

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

class Folder {
 public:
  explicit Folder(Statistics& statistics) : statistics_(statistics) {}

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
    add(name, how, [&statistics, of, compose](auto done) {
      statistics.get_all(of, [&statistics, compose,
                              done = std::move(done)](const Statistics::Tables& tables) mutable {
        done(compose(tables, statistics.now()), measured(tables.begin()->second, statistics.now()));
      });
    });
  }

  // With what is known of the server, which the pages show.
  using ComposeServed = std::function<std::string(const Statistics::Tables&,
                                                  const Result<store::ServerFacts>&, WallTime now)>;
  void add_served(const std::string& name, std::vector<std::string> of, ComposeServed compose) {
    Statistics& statistics = statistics_;
    const MadeFile::How how{0440, std::chrono::seconds(5)};
    add(name, how, [&statistics, of, compose](auto done) {
      statistics.collector().facts([&statistics, of, compose, done = std::move(done)](
                                       Result<store::ServerFacts> server) mutable {
        statistics.get_all(of, [&statistics, compose, server = std::move(server),
                                done = std::move(done)](const Statistics::Tables& tables) mutable {
          done(compose(tables, server, statistics.now()),
               measured(tables.begin()->second, statistics.now()));
        });
      });
    });
  }

  void add(LiveEntry entry) { entries_.push_back(std::move(entry)); }
  LiveEntry finish() { return {"stats", nullptr, std::move(entries_), {}}; }

 private:
  void add(const std::string& name, MadeFile::How how, MadeFile::Make make) {
    entries_.push_back(live_file(name, std::make_unique<MadeFile>(how, std::move(make))));
  }

  Statistics& statistics_;
  std::vector<LiveEntry> entries_;
};

}  // namespace

LiveEntry stats_folder(Statistics& statistics) {
  Folder folder(statistics);
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
  for (const char* name : {"metrics", "metrics.prom"})
    folder.add_composed(name, quick, metrics_statistics(), metrics_text);
  folder.add_composed("dashboard", {0440, std::chrono::seconds(5)}, dashboard_statistics(),
                      dashboard_text);
  folder.add_served("dashboard.json", dashboard_statistics(),
                    [](const auto& tables, const auto& server, WallTime now) {
                      return pretty(dashboard_json(tables, server, now));
                    });
  folder.add_served("dashboard.html", dashboard_statistics(),
                    [](const auto& tables, const auto& server, WallTime now) {
                      return page("dashboard", dashboard_json(tables, server, now));
                    });
  folder.add(thresholds_folder(statistics));
  return folder.finish();
}

}  // namespace tusk::virt
