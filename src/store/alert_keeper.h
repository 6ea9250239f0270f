// Alerts over the collector's connection: in the tables of tusk_stats where they may be written,
// else in memory. What alerts are about and how they change is SQL (sql/stats_sources/alert*).
#pragma once

#include <functional>
#include <string>

#include "connection.h"
#include "tuskfs/store/collector.h"

namespace tusk::store {

// What can be read, of what alerts are about.
struct AlertSources {
  bool cache = false, tree = false;
};
// Of alerts_next with all that it selects from.
using AlertsText = std::function<std::string(const AlertSources&)>;

// The text that makes the next state, before what collectors put around any text.
std::string alerts_next_text(const AlertSources&);
// The same for SQL clients, which may lack rights that who installs it has: for the function
// tusk_stats.alerts_check. The cache is there then.
std::string alerts_check_script();

class AlertKeeper {
 public:
  // Takes a sample, unless another one took it less than `spacing` ago.
  PgExpected<Alerts> check(Connection&, std::chrono::milliseconds spacing, const AlertsText&);
  // Empty: there is no such alert.
  PgExpected<std::optional<Alerts>> command(Connection&, const AlertCommand&);

 private:
  struct Places {
    bool tables = false;
    AlertSources sources;
    std::string data_directory;  // of a server on this machine; empty: not known
  };
  struct Loaded {
    std::string state;
    bool is_due = true;
  };
  static PgExpected<Places> places(Connection&);
  // Between these two nobody else changes them.
  PgExpected<Loaded> load(Connection&, const Places&, std::chrono::milliseconds spacing);
  PgExpected<void> store(Connection&, const Places&, std::string state, const std::string& events);
  PgExpected<Alerts> read(Connection&, const Places&);
  // Does it in one transaction where there are tables.
  template <class T>
  PgExpected<T> together(Connection&, const std::function<PgExpected<T>(const Places&)>&);

  Alerts memory_{"{}", "[]"};
};

}  // namespace tusk::store
