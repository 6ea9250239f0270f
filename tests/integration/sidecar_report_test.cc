// The weekly report, its archive and the trend, over real databases and mounts.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "support/fs_calls.h"
#include "support/fs_sql.h"
#include "support/sidecar_mount.h"
#include "support/store_backends.h"
#include "tuskfs/store/migrate.h"

namespace tusk::test {
namespace {

using Json = nlohmann::json;

void install(const std::string& database) {
  run_ok({TUSKFS_BINARY, "sidecar", "--install", database});
}

// What was captured `days` ago: as now, but for the score and the size of table `grown`.
void capture_of(Sql& sql, int days, int score, const std::string& grown = "grown") {
  sql.rows(
      "insert into tusk_stats.captures (taken_at, picture) "
      "select now() - $1::int * interval '1 day', "
      "jsonb_set(jsonb_set(picture, '{health,rows,0,0}', to_jsonb($2::int)), '{tables,rows}', ("
      "  select jsonb_agg(case when r ->> 1 = $3 then jsonb_set(r, '{2}', '1000') else r end)"
      "  from jsonb_array_elements(picture #> '{tables,rows}') r)) "
      "from tusk_stats.picture",
      {std::to_string(days), std::to_string(score), grown});
}

Json report_of(const SidecarMount& mount) {
  return Json::parse(get(mount.stats("weekly_report.json")));
}

// As the browser draws it; skipped where there is none.
void expect_drawn(const SidecarMount& mount, const std::string& name) {
  const Finished drawn =
      run({"python3", "-B", std::string(TUSKFS_SOURCE_DIR) + "/tests/pages/drawn.py",
           mount.stats(name + ".html"), mount.stats(name + ".json")});
  if (!holds(drawn.out, "no chromium here")) {
    EXPECT_TRUE(drawn.ok()) << drawn.out << drawn.err;
  }
}

class SidecarReport : public ::testing::Test {
 protected:
  const std::string database_ = new_database(true);
  Sql sql_{database_};
};

TEST_F(SidecarReport, without_the_schema_it_tells_of_now_and_how_to_compare) {
  sql_.run("create table goods as select generate_series(1, 1000) a; analyze");
  const SidecarMount mount(database_);
  const Json report = report_of(mount);
  EXPECT_TRUE(holds(report.at("notice"), "tuskfs sidecar --install"));
  EXPECT_TRUE(report.at("previous").is_null());
  EXPECT_EQ(report.at("growth").at(0).at("delta_bytes"), nullptr);
  const std::string text = get(mount.stats("weekly_report.txt"));
  const std::string score = fmt::format("score {} ", report.at("health").at("score").get<int>());
  EXPECT_TRUE(holds(text, score) && holds(text, "tuskfs sidecar --install")) << text;
  EXPECT_TRUE(holds(get(mount.stats("weekly_report.md")), score));
  EXPECT_TRUE(holds(get(mount.stats("weekly_report.html")), report.at("measured_at")));
  for (const char* form : {"txt", "md", "html", "json"}) {
    const std::string path = mount.stats(std::string("weekly_report.") + form);
    const std::string size = fmt::format("{} ", get(path).size());
    EXPECT_TRUE(run_ok({"wc", "-c", path}).starts_with(size)) << form;
    EXPECT_EQ(fmt::format("{} ", stat_of(path).st_size), size) << form;
  }
  EXPECT_TRUE(names_in(mount.stats("reports")).empty());
  EXPECT_EQ(errno_of_open(mount.stats("reports/2026-W01.md"), O_RDONLY), ENOENT);
  EXPECT_EQ(sql_.value("select to_regnamespace('tusk_stats') is null"), "t");
  expect_drawn(mount, "weekly_report");
}

TEST_F(SidecarReport, two_captures_a_week_apart_give_the_deltas) {
  sql_.run("create table grown as select generate_series(1, 5000) a; analyze");
  install(database_);
  capture_of(sql_, 7, 40);
  const SidecarMount mount(database_);
  const Json report = report_of(mount);
  EXPECT_EQ(report.at("previous").at("score"), 40);
  EXPECT_TRUE(report.at("notice").is_null()) << report.at("notice");
  const auto size = sql_.number("select pg_total_relation_size('grown')");
  std::int64_t delta = -1;
  for (const Json& one : report.at("growth"))
    if (one.at("name") == "public.grown") delta = one.at("delta_bytes");
  EXPECT_EQ(delta, size - 1000);
  const Json& tables = report.at("tables");
  bool seen = false;
  for (std::size_t i = 0; i < tables.at("rows").size(); i++) {
    if (tables.at("rows").at(i).at(1) != "grown") continue;
    EXPECT_EQ(tables.at("deltas").at(i).at(2), size - 1000);
    EXPECT_EQ(tables.at("deltas").at(i).at(0), nullptr);
    seen = true;
  }
  EXPECT_TRUE(seen);
  EXPECT_TRUE(holds(get(mount.stats("weekly_report.txt")), "the week before 40"));
  EXPECT_TRUE(holds(get(mount.stats("weekly_report.md")), "the week before 40"));
  EXPECT_EQ(Json::parse(sql_.value("select tusk_stats.weekly_report('json')")).at("previous"),
            report.at("previous"));
  expect_drawn(mount, "weekly_report");
}

TEST_F(SidecarReport, an_unused_index_is_dropped_and_made_again_as_it_was) {
  const std::string name = "i\"\"d' $tusk$ </script>| %I \\";
  const std::string table = "t\"\"' \\ `x`";
  sql_.run("create table \"" + table + "\" as select a, a::text b from generate_series(1, 100) a");
  sql_.run("create index \"" + name + "\" on \"" + table +
           "\" (lower(b), a desc) where b <> '%s $tusk$ ''x'");
  install(database_);
  const std::string index = sql_.value(
      "select indexrelid::regclass from pg_index where indrelid = (select oid from pg_class where "
      "relname like 't\"%')");
  const auto definition = [&] {
    return sql_.rows("select pg_get_indexdef(to_regclass($1))", {index}).at(0).at(0);
  };
  const std::string before = definition();
  // As the statistics of a week would tell of it.
  sql_.run(
      "insert into tusk_stats.captures (taken_at, picture) "
      "select date_trunc('week', now() at time zone 'UTC') at time zone 'UTC' - interval '1 day', "
      "jsonb_set(picture, '{indexes,rows}', (select jsonb_agg(case when r ->> 1 like 't\"%' then "
      "jsonb_set(jsonb_set(r, '{8}', 'true'), '{10}', to_jsonb(pg_get_indexdef(i.indexrelid) || "
      "';')) else r end) from jsonb_array_elements(picture #> '{indexes,rows}') r, pg_index i "
      "where i.indrelid = (select oid from pg_class where relname like 't\"%'))) "
      "from tusk_stats.picture; select tusk_stats.capture()");
  const SidecarMount mount(database_);
  const auto names = names_in(mount.stats("reports"));
  ASSERT_EQ(names.size(), 4u);
  const std::string week = names.begin()->substr(0, 8);
  const Json report = Json::parse(get(mount.stats("reports/" + week + ".json")));
  ASSERT_EQ(report.at("actions").size(), 1u) << report.at("actions");
  const Json action = report.at("actions").at(0);
  sql_.run(action.at("sql"));
  EXPECT_EQ(definition(), "<null>");
  sql_.run(action.at("undo"));
  EXPECT_EQ(definition(), before);
  const std::string text = get(mount.stats("reports/" + week + ".txt"));
  EXPECT_TRUE(holds(text, "    " + action.at("sql").get<std::string>() + "\n")) << text;
  EXPECT_TRUE(holds(text, "    " + action.at("undo").get<std::string>() + "\n"));
  // In Markdown nothing of a name is markup, but in the blocks of code, which are indented.
  const std::string markdown = get(mount.stats("reports/" + week + ".md"));
  EXPECT_FALSE(holds(markdown, "`x`") && !holds(markdown, "\\`x\\`"));
  EXPECT_FALSE(holds(markdown, "| </script>"));
  expect_drawn(mount, "reports/" + week);
}

TEST_F(SidecarReport, a_foreign_key_without_an_index_gets_one_and_loses_it) {
  sql_.run(
      "create table kinds (x int, \"Y z\" int, primary key (x, \"Y z\"));"
      "insert into kinds select a, a from generate_series(0, 9) a;"
      "create table \"Go'ods\" (id int primary key, \"Y z\" int, x int, "
      " constraint \"k\"\"1\" foreign key (x, \"Y z\") references kinds);"
      "create table indexed (x int, y int, foreign key (x, y) references kinds);"
      "create index on indexed (y, x, (x + y));"
      "insert into \"Go'ods\" select a, a % 10, a % 10 from generate_series(1, 12000) a;"
      "insert into indexed select a % 10, a % 10 from generate_series(1, 12000) a;"
      "analyze");
  const auto indexes = [&] {
    return sql_.number("select count(*) from pg_index where indrelid = '\"Go''ods\"'::regclass");
  };
  EXPECT_TRUE(eventually([&] {
    return sql_.number("select count(*) from pg_stat_user_tables where n_live_tup = 12000") == 2;
  }));
  const SidecarMount mount(database_);
  const Json report = report_of(mount);
  ASSERT_EQ(report.at("actions").size(), 1u) << report.at("actions");
  const Json& action = report.at("actions").at(0);
  EXPECT_TRUE(holds(action.at("title"), "Go'ods"));
  sql_.run(action.at("sql"));
  EXPECT_EQ(indexes(), 2);
  EXPECT_EQ(
      sql_.value("select pg_get_indexdef(max(indexrelid)) ~ '\\(x, \"Y z\"\\)$' from pg_index "
                 "where indrelid = '\"Go''ods\"'::regclass"),
      "t");
  sql_.run(action.at("undo"));
  EXPECT_EQ(indexes(), 1);
}

TEST_F(SidecarReport, hostile_names_of_tables_stay_text) {
  for (const std::string name :
       {"new\nline\n# title", "\x1b[2Jesc", "a|b*c[d](e)", "c1\xc2\x9b", "€\t"})
    sql_.run("create table \"" + name + "\" as select generate_series(1, 3000) a; alter table \"" +
             name + "\" set (autovacuum_enabled = false); delete from \"" + name + "\"");
  const SidecarMount mount(database_);
  // Statistics arrive when the server finds time, and a report is kept for a minute.
  EXPECT_TRUE(eventually([&] {
    return sql_.number("select count(*) from pg_stat_user_tables where n_dead_tup = 3000") == 5;
  }));
  const Json report = report_of(mount);
  EXPECT_EQ(report.at("actions").size(), 3u);
  for (const Json& action : report.at("actions"))
    if (action.at("sql").get<std::string>().starts_with("VACUUM")) sql_.run(action.at("sql"));
  for (const char* form : {"txt", "md"}) {
    const std::string text = get(mount.stats(std::string("weekly_report.") + form));
    for (const char* never : {"\x1b", "\xc2\x9b", "\n# title", "\nline"})
      EXPECT_FALSE(holds(text, never)) << form << never;
  }
  EXPECT_TRUE(holds(get(mount.stats("weekly_report.md")), "a\\|b\\*c\\[d\\](e)"));
  expect_drawn(mount, "weekly_report");
}

TEST_F(SidecarReport, a_week_that_has_passed_is_kept_as_it_was) {
  install(database_);
  const SidecarMount mount(database_);
  EXPECT_TRUE(names_in(mount.stats("reports")).empty());
  capture_of(sql_, 14, 33);
  capture_of(sql_, 7, 55);
  sql_.run("select tusk_stats.capture()");
  const std::string week =
      sql_.value("select to_char(now() at time zone 'UTC' - interval '7 days', 'IYYY-\"W\"IW')");
  EXPECT_EQ(names_in(mount.stats("reports")).size(), 8u);
  const std::string path = mount.stats("reports/" + week + ".json");
  const std::string before = get(path);
  EXPECT_EQ(Json::parse(before).at("health").at("score"), 55);
  EXPECT_EQ(Json::parse(before).at("previous").at("score"), 33);
  EXPECT_EQ(Json::parse(before).at("week"), week);
  const auto captured = sql_.number(
      "select extract(epoch from taken_at)::int8 from tusk_stats.reports where week = $1", {week});
  EXPECT_EQ(stat_of(path).st_mtim.tv_sec, captured);
  sql_.run("delete from tusk_stats.captures; select tusk_stats.capture()");
  const SidecarMount again(database_);
  EXPECT_EQ(get(again.stats("reports/" + week + ".json")), before);
  EXPECT_TRUE(holds(get(again.stats("reports/" + week + ".md")), "score 55"));
  for (const char* unknown : {"1999-W01.md", "x", "2026-W47", "2026-W99.txt"})
    EXPECT_EQ(errno_of_open(again.stats(std::string("reports/") + unknown), O_RDONLY), ENOENT);
  sql_.run("delete from tusk_stats.reports");
  EXPECT_TRUE(names_in(again.stats("reports")).empty());
  EXPECT_EQ(errno_of_open(again.stats("reports/" + week + ".md"), O_RDONLY), ENOENT);
}

TEST_F(SidecarReport, the_sidecar_captures_once_a_day_and_reading_never_does) {
  install(database_);
  const auto captures = [&] { return sql_.number("select count(*) from tusk_stats.captures"); };
  const auto last = [&] { return sql_.value("select max(taken_at) from tusk_stats.captures"); };
  {
    const SidecarMount mount(database_);
    EXPECT_TRUE(eventually([&] { return captures() == 1; }));
    const std::string first = last();
    for (const char* name : {"weekly_report.txt", "dashboard.json", "health"})
      get(mount.stats(name));
    EXPECT_EQ(last(), first);
  }
  sql_.run("update tusk_stats.captures set taken_at = taken_at - interval '2 days'");
  const SidecarMount mount(database_);
  EXPECT_TRUE(eventually([&] { return captures() == 2; }));
}

TEST_F(SidecarReport, what_is_kept_is_a_day_each_for_thirteen_months) {
  install(database_);
  for (const int days : {500, 300, 300, 1})
    sql_.rows(
        "insert into tusk_stats.captures (taken_at, picture) select now() - $1::int * interval '1 "
        "day', picture from tusk_stats.picture on conflict (day) do nothing",
        {std::to_string(days)});
  EXPECT_EQ(sql_.number("select tusk_stats.capture()"), 3);
  EXPECT_EQ(sql_.number("select tusk_stats.capture()"), 3);
  EXPECT_EQ(
      sql_.number("select count(*) from pg_proc where pronamespace = 'tusk_stats'::regnamespace "
                  "and obj_description(oid, 'pg_proc') is null"),
      0);
}

TEST_F(SidecarReport, the_schema_goes_and_comes) {
  for (int i = 0; i < 2; i++) {
    install(database_);
    EXPECT_EQ(sql_.number("select tusk_stats.capture()"), 1);
    ASSERT_TRUE(store::migrate_down(database_, 0, store::Schema::stats));
    EXPECT_EQ(sql_.number("select count(*) from pg_class where relnamespace = "
                          "to_regnamespace('tusk_stats') and relkind in ('r', 'v') "
                          "and relname <> 'schema_migrations'"),
              0);
    EXPECT_EQ(sql_.number("select count(*) from pg_proc where pronamespace = "
                          "to_regnamespace('tusk_stats')"),
              0);
  }
  // The tables alone, as thresholds make them, are not yet what a report needs.
  ASSERT_TRUE(store::migrate_up(database_, -1, store::Schema::stats));
  EXPECT_THROW(sql_.run("select tusk_stats.capture()"), std::exception);
  const SidecarMount mount(database_);
  EXPECT_TRUE(holds(report_of(mount).at("notice"), "tuskfs sidecar --install"));
}

TEST_F(SidecarReport, who_may_monitor_reads_and_changes_nothing) {
  sql_.run("drop role if exists reporter; create role reporter login");
  install(database_);
  capture_of(sql_, 7, 40);
  sql_.run("grant tusk_monitor to reporter; grant pg_monitor to reporter");
  std::string conninfo = database_;
  conninfo.replace(conninfo.find("user=postgres"), 13, "user=reporter");
  const SidecarMount mount(conninfo);
  EXPECT_EQ(report_of(mount).at("previous").at("score"), 40);
  Sql reporter(conninfo);
  EXPECT_THROW(reporter.run("select tusk_stats.capture()"), std::exception);
  EXPECT_THROW(reporter.run("delete from tusk_stats.captures"), std::exception);
}

TEST_F(SidecarReport, alerts_of_the_week_are_told_where_they_are_kept) {
  install(database_);
  const auto told = [&] {
    return Json::parse(sql_.value("select tusk_stats.weekly_report('json')")).at("alerts_of_week");
  };
  EXPECT_EQ(told().is_null(),
            sql_.value("select to_regclass('tusk_stats.alert_events') is null") == "t");
  sql_.run(
      "create table if not exists tusk_stats.alert_events (at timestamptz not null, event text, "
      "name text, severity text, value float8, threshold float8, message text);"
      "insert into tusk_stats.alert_events (at, event, name, severity) values"
      " (now(), 'raise', 'blocked', 'critical'),"
      " (now() - interval '8 days', 'raise', 'cache_hit', 'warning')");
  const SidecarMount mount(database_);
  const Json alerts = report_of(mount).at("alerts_of_week");
  ASSERT_EQ(alerts.size(), 1u);
  EXPECT_EQ(alerts.at(0).at("name"), "blocked");
  EXPECT_TRUE(holds(get(mount.stats("weekly_report.txt")), " critical blocked raise\n"));
}

TEST_F(SidecarReport, the_dashboard_has_a_trend_of_captures_and_of_what_was_seen) {
  install(database_);
  capture_of(sql_, 2, 71);
  capture_of(sql_, 0, 72);  // so that the sidecar takes none
  const SidecarMount mount(database_);
  const auto trend = [&] { return Json::parse(get(mount.stats("dashboard.json"))).at("trend"); };
  const Json first = trend();
  ASSERT_EQ(first.size(), 3u) << first;
  EXPECT_EQ(first.at(0).at("score"), 71);
  EXPECT_EQ(first.at(1).at("score"), 72);
  EXPECT_TRUE(first.at(2).at("score").is_number());
  EXPECT_TRUE(first.at(2).at("components").at("connections").is_number());
  for (std::size_t i = 0; i + 1 < first.size(); i++)
    EXPECT_LT(first.at(i).at("at").get<std::string>(), first.at(i + 1).at("at").get<std::string>());
  // Nothing is asked to be measured for it: what is read is noted, and once in ten seconds.
  for (int i = 0; i < 50; i++) get(mount.stats("health"));
  EXPECT_LT(trend().size(), 10u);
  expect_drawn(mount, "dashboard");
}

std::string example(const std::string& name) {
  return get(std::string(TUSKFS_SOURCE_DIR) + "/sql/examples/" + name + ".sql");
}

TEST_F(SidecarReport, search_text_is_kept_by_the_server) {
  sql_.run(example("search_text"));
  sql_.run(
      "insert into articles (title, body) values ('Elephants', null), ('Of Mice', 'and Elephant')");
  EXPECT_EQ(sql_.value("select string_agg(search_text, ';' order by id) from articles"),
            "elephants ;of mice and elephant");
  sql_.run("update articles set body = 'never forget' where id = 1");
  EXPECT_EQ(sql_.value("select search_text from articles where id = 1"), "elephants never forget");
  sql_.run(example("search_text"));  // anew
}

TEST(SidecarReportOfFiles, files_are_counted_where_there_are_files) {
  const std::string without = new_database(true), with = new_database(false);
  install(without);
  EXPECT_EQ(Sql(without).value("select to_regclass('tusk_stats.dashboard_stats') is null"), "t");
  install(with);
  install(with);  // anew
  Sql sql(with);
  sql.run(
      "insert into tusk.tenants (name, root_id) values ('t', tusk.uuid_v7()) on conflict do "
      "nothing");
  const auto add = [&](const std::string& name, const std::string& uploaded,
                       const std::string& changed) {
    sql.rows(
        "insert into tusk.files (tenant_id, filename, mime_type, size_bytes, data, uploaded_at, "
        "mtime_ns) "
        "select id, $1, 'text/plain', 0, '', now() - $2::interval, "
        "(extract(epoch from now() - $3::interval) * 1000000000)::int8 from tusk.tenants limit 1",
        {name, uploaded, changed});
  };
  add("old", "30 days", "2 days");
  add("new", "2 days", "2 days");
  add("edited", "30 days", "1 hour");
  const auto shown = [&] {
    return sql.rows("select total, new_this_week, active_today from tusk_stats.dashboard_stats")
        .at(0);
  };
  EXPECT_EQ(shown(), (SqlRow{"0", "0", "0"}));
  // While somebody reads it, as it is CONCURRENTLY.
  Sql reader(with);
  reader.run("begin; select * from tusk_stats.dashboard_stats");
  sql.run("set lock_timeout = '5s'; select tusk_stats.refresh_dashboard()");
  reader.run("commit");
  EXPECT_EQ(shown(), (SqlRow{"3", "1", "1"}));
}

}  // namespace
}  // namespace tusk::test
