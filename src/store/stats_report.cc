#include "stats_report.h"

#include <fmt/format.h>

#include <array>

#include "stats_texts.h"

namespace tusk::store {
namespace {

// What a picture of the statistics holds. Locks are of a moment, and show texts of queries.
constexpr std::array kPictured = {
    "health",       "health_components",  "tables",          "indexes", "cache_hit", "connections",
    "slow_queries", "slow_queries_total", "missing_indexes", "sizes"};

std::string rows_of(std::string_view name, std::string_view text) {
  return fmt::format(
      "select '{}'::text as statistic, row_number() over () as place, to_json(q) as cells\n"
      "from (\n{}\n) as q\n",
      name, text);
}

// A row for each row of each statistic; `as_views`: of the views in tusk_stats.
std::string rows_now(bool as_views) {
  std::string out = rows_of("unindexed_keys", report_text("unindexed_keys"));
  for (const char* name : kPictured) {
    const std::string from =
        as_views ? fmt::format("table tusk_stats.{}", name) : std::string(stats_text(name));
    out += "union all\n" + rows_of(name, from);
  }
  return out;
}

std::string lines_as(std::string_view style, std::string_view from) {
  return fmt::format(
      "(with report as (select document, '{}'::text as style from {})\nselect lines from (\n{}\n) "
      "as "
      "written)",
      style, from, report_text("lines"));
}

std::string with_asked(std::string_view asked, std::string_view text) {
  return fmt::format("with {}\nselect * from (\n{}\n) as made", asked, text);
}

constexpr std::string_view kAsked =
    "week text, begins timestamptz, ends timestamptz, taken_at timestamptz, picture jsonb, "
    "before_at timestamptz, before jsonb, alerts json, trend json, notice text, database text, "
    "server text";
constexpr std::string_view kAskedCte =
    "asked as (select $1 as week, $2 as begins, $3 as ends, $4 as taken_at, $5 as picture, "
    "$6 as before_at, $7 as before, $8 as alerts, $9 as trend, $10 as notice, $11 as database, "
    "$12 as server)";

std::string function(std::string_view signature, std::string_view returns, std::string_view body,
                     std::string_view comment) {
  return fmt::format(
      "create or replace function tusk_stats.{} returns {}\nlanguage sql stable set search_path = "
      "pg_catalog as $tusk$\n{}\n$tusk$;\ncomment on function tusk_stats.{} is '{}';\n",
      signature, returns, body, signature, comment);
}

}  // namespace

std::string report_without_schema() {
  return fmt::format(
      "with rows_now as (\n{}\n), picture as (\n{}\n), asked as (\n{}\n), made as materialized "
      "(\n{}\n)\nselect document, {} as plain, {} as markdown from made",
      rows_now(false), report_text("picture"), report_text("asked_now"), report_text("document"),
      lines_as("text", "made"), lines_as("md", "made"));
}

std::string report_schema_script() {
  return fmt::format(
             "create view tusk_stats.rows_now as\n{};\ncomment on view tusk_stats.rows_now is "
             "'Each row of each statistic as JSON.';\n"
             "create view tusk_stats.picture as\n{};\ncomment on view tusk_stats.picture is "
             "'The statistics of now as one document: what tusk_stats.capture() keeps.';\n",
             rows_now(true), report_text("picture")) +
         function(fmt::format("report_document({})", kAsked), "json",
                  with_asked(kAskedCte, report_text("document")),
                  "The report of two pictures a week apart.") +
         function(
             "report_lines(document json, style text)", "text",
             with_asked("report as (select $1 as document, $2 as style)", report_text("lines")),
             "A report for people: style text or md.");
}

std::string dashboard_stats_script() { return std::string(example_text("dashboard_stats")); }

}  // namespace tusk::store
