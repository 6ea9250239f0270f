// Alerts of `tuskfs sidecar`: real trouble, made and removed.
#include <gtest/gtest.h>
#include <poll.h>

#include <nlohmann/json.hpp>
#include <thread>

#include "support/fs_calls.h"
#include "support/fs_sql.h"
#include "support/sidecar_mount.h"
#include "support/store_backends.h"
#include "tuskfs/base/reactor.h"
#include "tuskfs/store/collector.h"
#include "tuskfs/store/migrate.h"
#include "virtual/stats/alert_sampler.h"

namespace tusk::test {
namespace {

using Json = nlohmann::json;

const std::vector<std::string> kQuick = {"--alerts-every", "100"};
const std::vector<std::string> kOnlyOnce = {"--alerts-every", "3600000"};

class SidecarAlerts : public ::testing::Test {
 protected:
  // 50 dead rows for 100 live ones, past crit, until they are vacuumed.
  void churn() {
    sql_.run(
        "create table churned (a int) with (autovacuum_enabled = false);"
        "insert into churned select generate_series(1, 6000)");
    sql_.run("delete from churned where a % 3 = 0");
    EXPECT_TRUE(eventually([&] {
      return sql_.number("select coalesce(sum(n_dead_tup), 0)::int8 from pg_stat_user_tables") ==
             2000;
    }));
  }

  static bool opens(const SidecarMount& mount, const std::string& name) {
    return eventually([&] { return !open_alert(mount, name).is_null(); });
  }
  static bool clears(const SidecarMount& mount, const std::string& name) {
    return eventually([&] { return open_alert(mount, name).is_null(); });
  }
  static std::string state_of(const SidecarMount& mount, const std::string& name) {
    const Json alert = open_alert(mount, name);
    return alert.is_null() ? "none" : alert.at("state").get<std::string>();
  }
  static bool shows(const SidecarMount& mount, const std::string& file, const std::string& part) {
    return get(mount.stats(file)).find(part) != std::string::npos;
  }
  static int say(const SidecarMount& mount, const std::string& text) {
    const Fd fd = open_file(mount.stats("alerts"), O_WRONLY | O_TRUNC);
    return errno_of(::write(fd.get(), text.data(), text.size()));
  }

  const std::string database_ = new_database(true);
  Sql sql_{database_};
};

TEST_F(SidecarAlerts, dead_rows_are_told_and_clear) {
  const SidecarMount mount(database_, kQuick);
  EXPECT_TRUE(open_alert(mount, "dead_tuples").is_null());
  churn();
  ASSERT_TRUE(opens(mount, "dead_tuples")) << get(mount.stats("health"));
  EXPECT_EQ(open_alert(mount, "dead_tuples").at("severity"), "critical");
  EXPECT_EQ(open_alert(mount, "dead_tuples").at("value"), 50);
  EXPECT_EQ(open_alert(mount, "dead_tuples").at("threshold"), 40);
  EXPECT_TRUE(eventually([&] { return shows(mount, "alerts", "critical  dead_tuples"); }));
  const std::string metric = "tusk_alert{name=\"dead_tuples\",severity=\"critical\"} 1\n";
  EXPECT_TRUE(eventually([&] { return shows(mount, "metrics", metric); }));
  EXPECT_TRUE(eventually([&] { return shows(mount, "dashboard", "critical  dead_tuples"); }));
  EXPECT_TRUE(eventually([&] {
    return Json::parse(get(mount.stats("dashboard.json"))).at("alerts").dump().find("dead_tup") !=
           std::string::npos;
  }));
  sql_.run("vacuum churned");
  EXPECT_TRUE(clears(mount, "dead_tuples"));
  EXPECT_TRUE(eventually([&] { return shows(mount, "alerts.log", "clear"); }));
  EXPECT_TRUE(eventually([&] { return !shows(mount, "metrics", "tusk_alert{name=\"dead_"); }));
}

TEST_F(SidecarAlerts, poll_wakes_who_waits_for_one) {
  constexpr int kLong = 20'000;  // ms
  const SidecarMount mount(database_, kQuick);
  const Fd alerts = open_file(mount.stats("alerts"), O_RDONLY);
  const std::string before = read_at(alerts.get(), 0, 10'000);
  pollfd waits{alerts.get(), POLLIN, 0};
  EXPECT_EQ(::poll(&waits, 1, 0), 0);
  std::jthread trouble([this] { churn(); });
  ASSERT_EQ(::poll(&waits, 1, kLong), 1);
  EXPECT_NE(read_at(alerts.get(), 0, 10'000), before);
  EXPECT_TRUE(shows(mount, "alerts", "dead_tuples"));
}

TEST_F(SidecarAlerts, one_sample_raises_nothing) {
  churn();
  const SidecarMount mount(database_, kOnlyOnce);
  for (int i = 0; i < 3; i++) EXPECT_TRUE(open_alert(mount, "dead_tuples").is_null());
  EXPECT_FALSE(shows(mount, "alerts.log", "raise"));
}

TEST_F(SidecarAlerts, a_blocked_backend_is_told_and_clears) {
  const SidecarMount mount(database_, kQuick);
  sql_.run("create table wanted (a int)");
  sql_.run("begin; lock table wanted");
  std::jthread blocked([this] { Sql(database_).run("table wanted"); });
  EXPECT_TRUE(opens(mount, "blocked"));
  sql_.run("rollback");
  EXPECT_TRUE(clears(mount, "blocked"));
}

TEST_F(SidecarAlerts, idle_connections_are_told_and_clear) {
  const SidecarMount mount(database_, kQuick);
  std::vector<std::unique_ptr<Sql>> crowd;
  for (int i = 0; i < 40; i++) crowd.push_back(std::make_unique<Sql>(database_));
  EXPECT_TRUE(opens(mount, "idle_ratio")) << get(mount.stats("health"));
  EXPECT_EQ(open_alert(mount, "idle_ratio").at("severity"), "warning");
  crowd.clear();
  EXPECT_TRUE(clears(mount, "idle_ratio")) << get(mount.stats("health"));
}

TEST_F(SidecarAlerts, what_is_silenced_is_told_apart_until_that_ends) {
  const SidecarMount mount(database_, kQuick);
  churn();
  ASSERT_TRUE(opens(mount, "dead_tuples"));
  EXPECT_EQ(say(mount, "ack dead_tuples\n"), 0);
  EXPECT_TRUE(eventually([&] { return state_of(mount, "dead_tuples") == "acknowledged"; }));
  EXPECT_TRUE(shows(mount, "alerts", "(acknowledged)"));
  EXPECT_EQ(say(mount, "silence dead_tuples 2h"), 0);
  EXPECT_TRUE(shows(mount, "alerts", "(silenced until "));
  const std::string metric = "tusk_alert{name=\"dead_tuples\"";
  EXPECT_TRUE(eventually([&] { return !shows(mount, "metrics", metric); }));
  EXPECT_EQ(say(mount, "unsilence dead_tuples"), 0);
  EXPECT_FALSE(shows(mount, "alerts", "silenced"));
  EXPECT_EQ(say(mount, "silence dead_tuples 1s"), 0);
  EXPECT_TRUE(eventually([&] { return state_of(mount, "dead_tuples") == "acknowledged"; }));
  EXPECT_TRUE(eventually([&] { return shows(mount, "metrics", metric); }));
  for (const char* event : {"raise", "ack", "silence", "unsilence"})
    EXPECT_TRUE(shows(mount, "alerts.log", event)) << event << get(mount.stats("alerts.log"));
  // Some line each; the file may be made anew between the two.
  EXPECT_TRUE(eventually([&] {
    const Json log = Json::parse(get(mount.stats("alerts.log.json")));
    return log.at("rows").size() + 1 == lines_of(get(mount.stats("alerts.log"))).size() &&
           log.at("rows").at(0).at("event").is_string();
  }));
}

TEST_F(SidecarAlerts, hostile_commands_are_refused) {
  const SidecarMount mount(database_, kQuick);
  get(mount.stats("alerts"));
  for (const char* wrong :
       {"\n", "ack", "nonsense dead_tuples", "silence dead_tuples", "silence dead_tuples 2",
        "silence dead_tuples -2h", "silence dead_tuples 2h 3h", "silence dead_tuples 2w",
        "silence dead_tuples 99999999999999999999d", "silence dead_tuples 9999d",
        "ack dead_tuples x", "silence dead_tuples h", "ACK dead_tuples"})
    EXPECT_EQ(say(mount, wrong), EINVAL) << wrong;
  for (const char* unknown : {"ack nothing", "silence nothing 2h", "unsilence nothing",
                              "ack ');drop", "ack \x1b[2J", "ack \xff\xfe"})
    EXPECT_EQ(say(mount, unknown), ENOENT) << unknown;
  EXPECT_EQ(say(mount, std::string("ack a\0b", 7)), ENOENT);
  EXPECT_EQ(say(mount, std::string(5000, 'a')), EFBIG);
  EXPECT_EQ(errno_of_open(mount.stats("alerts.log"), O_WRONLY), EACCES);
}

TEST_F(SidecarAlerts, a_role_that_only_reads_keeps_them_in_memory) {
  sql_.run(
      "drop role if exists alerts_watcher; create role alerts_watcher login in role pg_monitor");
  std::string conninfo = database_;
  conninfo.replace(conninfo.find("user=postgres"), 13, "user=alerts_watcher");
  churn();
  const SidecarMount mount(conninfo, kQuick);
  ASSERT_TRUE(opens(mount, "dead_tuples")) << get(mount.stats("alerts"));
  EXPECT_EQ(say(mount, "ack dead_tuples"), 0);
  EXPECT_TRUE(eventually([&] { return state_of(mount, "dead_tuples") == "acknowledged"; }));
  EXPECT_EQ(sql_.value("select to_regnamespace('tusk_stats') is null"), "t");
}

TEST_F(SidecarAlerts, the_schema_keeps_them_over_a_remount) {
  run_ok({TUSKFS_BINARY, "sidecar", "--install", database_});
  churn();
  {
    const SidecarMount mount(database_, kQuick);
    ASSERT_TRUE(opens(mount, "dead_tuples")) << get(mount.stats("alerts"));
    EXPECT_EQ(say(mount, "ack dead_tuples"), 0);
  }
  const SidecarMount again(database_, kOnlyOnce);
  EXPECT_EQ(state_of(again, "dead_tuples"), "acknowledged");
  EXPECT_TRUE(shows(again, "alerts.log", "ack"));
  EXPECT_EQ(sql_.value("select severity from tusk_stats.alerts_open where name = 'dead_tuples'"),
            "critical");
}

// What cron runs is the same logic: told at the second sample, cleared at the third calm one.
TEST_F(SidecarAlerts, the_function_counts_samples) {
  run_ok({TUSKFS_BINARY, "sidecar", "--install", database_});
  churn();
  const auto check = [&] {
    return sql_.value(
        "select coalesce(string_agg(split_part(line, ' ', 1), ','), '') from "
        "tusk_stats.alerts_check() line where line like '% dead_tuples %'");
  };
  EXPECT_EQ(check(), "");
  EXPECT_EQ(check(), "raise");
  EXPECT_EQ(check(), "");
  sql_.run("vacuum churned");
  EXPECT_TRUE(eventually([&] {
    return sql_.number("select coalesce(sum(n_dead_tup), 0)::int8 from pg_stat_user_tables") == 0;
  }));
  EXPECT_EQ(check(), "");
  EXPECT_EQ(check(), "");
  EXPECT_EQ(check(), "clear");
  // Raised again within the hour it is open, and not told a second time.
  sql_.run(
      "insert into churned select generate_series(1, 6000); delete from churned where a % 2 = 0");
  EXPECT_TRUE(eventually([&] {
    return sql_.number("select coalesce(sum(n_dead_tup), 0)::int8 from pg_stat_user_tables") > 0;
  }));
  EXPECT_EQ(check(), "");
  EXPECT_EQ(check(), "");
  EXPECT_EQ(sql_.number("select count(*) from tusk_stats.alerts_open where name = 'dead_tuples'"),
            1);
  EXPECT_EQ(sql_.number("select count(*) from tusk_stats.alert_events where name = 'dead_tuples'"),
            2);
}

TEST_F(SidecarAlerts, the_tables_go_and_come_again) {
  run_ok({TUSKFS_BINARY, "sidecar", "--install", database_});
  ASSERT_TRUE(store::migrate_down(database_, 1, store::Schema::stats));
  EXPECT_EQ(sql_.value("select to_regproc('tusk_stats.alerts_check') is null"), "t");
  EXPECT_EQ(sql_.value("select to_regclass('tusk_stats.alerts') is null"), "t");
  EXPECT_EQ(sql_.value("select to_regclass('tusk_stats.own_thresholds') is null"), "f");
  run_ok({TUSKFS_BINARY, "sidecar", "--install", database_});
  EXPECT_EQ(sql_.number("select count(*) from tusk_stats.alerts_check()"), 0);
}

TEST_F(SidecarAlerts, nothing_is_sampled_that_nobody_reads) {
  run_ok({TUSKFS_BINARY, "sidecar", "--install", database_});
  const SidecarMount mount(database_, kQuick);
  for (const char* name : {"health", "tables", "score"}) get(mount.stats(name));
  EXPECT_EQ(sql_.number("select count(*) from tusk_stats.alerts_sampled"), 0);
  get(mount.stats("alerts"));
  EXPECT_EQ(sql_.number("select count(*) from tusk_stats.alerts_sampled"), 1);
}

// As what serves poll(2) uses it.
TEST_F(SidecarAlerts, who_watches_is_called_once_and_keeps_samples_coming) {
  const auto reactor = std::move(*Reactor::create());
  const auto collector = store::Collector::start(*reactor, database_);
  virt::AlertSampler sampler(*reactor, *collector, std::chrono::milliseconds(50));
  const auto runs_until = [&](const auto& condition) {
    return eventually([&] {
      reactor->wait_and_run(std::chrono::milliseconds(20));
      return condition();
    });
  };
  int calls = 0;
  bool has_sample = false;
  sampler.get([&](const auto&) { has_sample = true; });
  ASSERT_TRUE(runs_until([&] { return has_sample; }));
  sampler.watch([&] { calls++; });
  churn();
  ASSERT_TRUE(runs_until([&] { return calls > 0; }));
  sql_.run("vacuum churned");
  bool is_over = false;
  ASSERT_TRUE(runs_until([&] {
    sampler.get([&](const auto& now) {
      is_over = true;
      for (const auto& alert : now->open)
        if (alert["name"] == "dead_tuples") is_over = false;
    });
    return is_over;
  }));
  EXPECT_EQ(calls, 1);
}

TEST_F(SidecarAlerts, the_first_reader_waits_for_a_sample_and_the_next_does_not) {
  const auto reactor = std::move(*Reactor::create());
  const auto collector = store::Collector::start(*reactor, database_);
  virt::AlertSampler sampler(*reactor, *collector, std::chrono::hours(1));
  int answers = 0;
  sampler.get([&](const auto&) { answers++; });
  EXPECT_EQ(answers, 0);
  EXPECT_TRUE(eventually([&] {
    reactor->wait_and_run(std::chrono::milliseconds(20));
    return answers == 1;
  }));
  sampler.get([&](const auto&) { answers++; });
  EXPECT_EQ(answers, 2);
}

}  // namespace
}  // namespace tusk::test
