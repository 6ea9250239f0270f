// The texts of sql/stats as views, for who asks by SQL.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "alert_keeper.h"
#include "connection.h"
#include "session.h"
#include "sqlstate.h"
#include "statements.h"
#include "stats_report.h"
#include "stats_texts.h"
#include "tuskfs/store/collector.h"
#include "tuskfs/store/migrate.h"

namespace tusk::store {
namespace {

// The comment lines that a text begins with, as one.
std::string explanation(std::string_view text) {
  std::string out;
  while (text.starts_with("--")) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    line.remove_prefix(std::min<std::size_t>(line.size(), 3));
    out += (out.empty() ? "" : " ") + std::string(line);
  }
  return out;
}

std::string literal(std::string_view text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? "''" : std::string(1, c);
  return out + "'";
}

std::string view(std::string_view name, std::string_view text) {
  return fmt::format("create view tusk_stats.{} as\n{};\ncomment on view tusk_stats.{} is {};\n",
                     name, text, name, literal(explanation(text)));
}

// What a view selects from is made before it.
std::string script(bool has_statements, bool has_tree, bool has_cache) {
  std::string out = statement("drop_stats_views").text + ";\n";
  out += view("default_thresholds", stats_source("thresholds"));
  out += view("thresholds", stats_source("thresholds_set"));
  out += view("statements", stats_source(has_statements ? "statements" : "statements_none"));
  out += view("tree_usage", stats_source(has_tree ? "tree_usage" : "usage_none"));
  out += view("cache_usage", stats_source(has_cache ? "cache_usage" : "usage_none"));
  out += view("health_components", stats_text("health_components"));
  for (const std::string& name : statistics())
    if (name != "health_components") out += view(name, stats_text(name));
  out += view("alerts_open", stats_source("alerts_open"));
  out += view("metrics", stats_source("metrics"));
  out += alerts_check_script();
  out += report_schema_script();
  if (has_tree) out += dashboard_stats_script();
  return out;
}

PgExpected<void> run_all(Connection& connection, const std::string& views) {
  TRY(connection.run_script("begin"));
  TRY(connection.run_script(views));
  TRY(connection.run_script("commit"));
  return {};
}

}  // namespace

Result<int> install_views(const std::string& conninfo) {
  TRY(migrate_up(conninfo, -1, Schema::stats));
  ConnectionContext context;
  context.conninfo = conninfo;
  const auto connection = Connection::open(context);
  if (!connection) return std::unexpected(setup_error(connection.error()));
  const auto prepared = (*connection)->run("stats_views_settings");
  if (!prepared) return std::unexpected(setup_error(prepared.error()));
  const Row has = prepared->row(0);
  const auto made = run_all(**connection, script(has.boolean(0), has.boolean(2), has.boolean(3)));
  if (!made) return std::unexpected(setup_error(made.error()));
  return static_cast<int>(statistics().size());
}

}  // namespace tusk::store
