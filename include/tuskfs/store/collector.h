// Statistics of a PostgreSQL server, as the texts of sql/stats ask for them. Over one connection of
// its own, which creates nothing; role pg_monitor is enough.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tuskfs/base/executor.h"
#include "tuskfs/base/result.h"
#include "tuskfs/store/store.h"

namespace tusk::store {

struct StatTable {
  struct Column {
    std::string name;
    bool is_number = false;
  };
  std::vector<Column> columns;
  std::vector<std::vector<std::optional<std::string>>> rows;  // as psql prints them
  WallTime measured_at{};
  bool has_statements = false;  // pg_stat_statements is there to be asked

  std::optional<std::size_t> column(std::string_view name) const;
};

// What the collector is connected to.
struct ServerFacts {
  std::string database;  // by name
  std::string version;   // as "15.5"
};

// Asks once, blocking. Errors with a line for people.
Result<ServerFacts> ask_server(const std::string& conninfo);

// Where a component of the health score is good, wants attention and is critical, as the server
// writes numbers.
struct Threshold {
  std::string name, good, warn, crit;  // warn: empty where there is no such point
};

// As JSON. State: by name, what is open having "since"; events: the last 1,000, oldest first.
struct Alerts {
  std::string state, events;
};

struct AlertCommand {
  std::string verb;  // ack, silence, unsilence
  std::string name;
  std::chrono::seconds duration{0};  // of a silence
};

// A week as sql/reports shows it.
struct Report {
  std::string document;  // JSON
  std::string text, markdown;
};

// Makes the views tusk_stats.NAME of all statistics, or makes them anew; how many there are.
Result<int> install_views(const std::string& conninfo);

class Collector {
 public:
  // `before_connect`: called on the collecting thread before each attempt; may be empty.
  static std::unique_ptr<Collector> start(Executor&, const std::string& conninfo,
                                          std::function<void()> before_connect = {});
  virtual ~Collector() = default;

  // A file of sql/stats by its name. ENOTCONN: the server cannot be reached; EACCES; ETIMEDOUT: it
  // took longer than 5 s, or waited for a lock.
  virtual void collect(const std::string& statistic, Callback<Result<StatTable>>) = 0;
  // Holds for everybody from then on: in tusk_stats.own_thresholds, which is made if need be.
  // EACCES.
  virtual void set_threshold(const Threshold&, Callback<Result<void>>) = 0;
  // Takes a sample of what alerts are about, unless another mount took one less than `spacing` ago.
  virtual void check_alerts(std::chrono::milliseconds spacing, Callback<Result<Alerts>>) = 0;
  // ENOENT: there is no such alert.
  virtual void command_alert(const AlertCommand&, Callback<Result<Alerts>>) = 0;
  virtual void facts(Callback<Result<ServerFacts>>) = 0;

  // Of a week as 2026-W47 that lies in the past, or of now for an empty name. ENOENT.
  virtual void report(const std::string& week, Callback<Result<Report>>) = 0;
  // The weeks of which a report is kept; none where nothing is kept.
  virtual void weeks(Callback<Result<std::vector<std::string>>>) = 0;
  // What was captured in the last 90 days, as a JSON array of {"at", "score", "components"}.
  virtual void trend(Callback<Result<std::string>>) = 0;
  // Captures the statistics where captures are kept, this role may, and the last is a day old.
  // Whether it did.
  virtual void capture(Callback<Result<bool>>) = 0;
};

// Every statistic by name.
std::vector<std::string> statistics();

}  // namespace tusk::store
