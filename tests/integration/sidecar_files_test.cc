// The files of `tuskfs sidecar` as programs see them, over real databases.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <atomic>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>
#include <sstream>
#include <thread>

#include "support/fs_calls.h"
#include "support/fs_sql.h"
#include "support/sidecar_mount.h"
#include "support/store_backends.h"

namespace tusk::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;
using Json = nlohmann::json;

steady_clock::duration time_of(const std::function<void()>& work) {
  const auto begin = steady_clock::now();
  work();
  return steady_clock::now() - begin;
}

std::string role_of(std::string conninfo, const std::string& role) {
  return conninfo.replace(conninfo.find("user=postgres"), 13, "user=" + role);
}

int collectors(const std::string& conninfo) {
  return static_cast<int>(Sql(conninfo).number(
      "select count(*) from pg_stat_activity where application_name = 'tusk-stats' "
      "and datname = current_database()"));
}

// Without the folders.
std::vector<std::string> files_of(const SidecarMount& mount) {
  std::vector<std::string> names = names_in(mount.path() / "stats");
  std::erase_if(names,
                [&](const auto& name) { return S_ISDIR(stat_of(mount.stats(name)).st_mode); });
  return names;
}

// What stats/health measured; -1: nothing.
double component_of(const SidecarMount& mount, const std::string& name) {
  const Json health = Json::parse(get(mount.stats("health.json")));
  for (const Json& row : health.at("components"))
    if (row.at("component") == name && row.at("value").is_number()) return row.at("value");
  return -1;
}

class SidecarFiles : public ::testing::Test {
 protected:
  const std::string database_ = new_database(true);
};

// Within one snapshot; a file that was made anew in between is looked at again.
constexpr const char* kAgree = R"(
import os, subprocess, sys

def output(*command):
    return subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout

def agree(path, copy):
    size = os.stat(path).st_size
    with open(path, newline='') as file:
        text = file.read().encode()
    subprocess.run(['cp', path, copy], check=True)
    with open(copy, 'rb') as file:
        copied = file.read()
    return (text and size == len(text) and output('cat', path) == text == copied
            and output('wc', '-c', path).split()[0] == b'%d' % size
            and output('head', '-c', '100000000', path) == text)

for path in sys.argv[2:]:
    if not any(agree(path, sys.argv[1]) for attempt in range(50)):
        print(path)
)";

TEST_F(SidecarFiles, programs_agree_on_size_and_bytes) {
  const SidecarMount mount(database_);
  std::vector<std::string> command = {"python3", "-c", kAgree, mount.path().parent_path() / "copy"};
  for (const std::string& name : files_of(mount)) command.push_back(mount.stats(name));
  EXPECT_GT(command.size(), 40u);
  EXPECT_EQ(run_ok(command), "");
  EXPECT_TRUE(
      holds(run_ok({"grep", "-r", "^score ", mount.path() / "stats"}), "stats/health:score "));
}

TEST_F(SidecarFiles, one_snapshot_for_each_open) {
  const SidecarMount mount(database_);
  Sql sql(database_);
  const Fd fd = open_file(mount.stats("tables"), O_RDONLY);
  const std::string before = read_at(fd.get(), 0, 1 << 20);
  sql.run("create table made_meanwhile (a int)");
  EXPECT_EQ(read_at(fd.get(), 1, 1 << 20), before.substr(1));
  EXPECT_TRUE(eventually([&] { return holds(read_at(fd.get(), 0, 1 << 20), "made_meanwhile"); }));
}

TEST_F(SidecarFiles, mtime_is_when_it_was_measured) {
  const SidecarMount mount(database_);
  const bool agree = eventually([&] {
    const auto mtime = stat_of(mount.stats("tables.json")).st_mtim;
    const std::string said = Json::parse(get(mount.stats("tables.json"))).at("measured_at");
    return holds(said, fmt::format("{:02}:{:02}", mtime.tv_sec / 60 % 60, mtime.tv_sec % 60)) &&
           mtime.tv_sec + 60 > ::time(nullptr);
  });
  EXPECT_TRUE(agree);
}

TEST_F(SidecarFiles, what_cannot_be_done_says_why) {
  const SidecarMount mount(database_);
  const std::string health = mount.stats("health"), other = mount.stats("other");
  const std::string folder = mount.path() / "stats";
  for (const int flags : {O_WRONLY, O_RDWR, O_WRONLY | O_TRUNC, O_RDONLY | O_TRUNC})
    EXPECT_EQ(errno_of_open(health, flags), EACCES) << flags;
  EXPECT_EQ(errno_of(::truncate(health.c_str(), 0)), EACCES);
  EXPECT_EQ(errno_of(::unlink(health.c_str())), EPERM);
  EXPECT_EQ(errno_of(::rmdir(folder.c_str())), EPERM);
  EXPECT_EQ(errno_of(::rename(health.c_str(), other.c_str())), EPERM);
  EXPECT_EQ(errno_of(::link(health.c_str(), other.c_str())), EPERM);
  EXPECT_EQ(errno_of(::symlink("a", other.c_str())), EPERM);
  EXPECT_EQ(errno_of(::mkdir(other.c_str(), 0755)), EPERM);
  EXPECT_EQ(errno_of(::mkfifo(other.c_str(), 0644)), EPERM);
  EXPECT_EQ(errno_of(::chmod(health.c_str(), 0777)), EPERM);
  EXPECT_EQ(errno_of_open(other, O_WRONLY | O_CREAT), EPERM);
  EXPECT_EQ(errno_of_open(other, O_RDONLY), ENOENT);
  EXPECT_EQ(errno_of(::setxattr(health.c_str(), "user.a", "b", 1, 0)), ENOTSUP);
}

TEST_F(SidecarFiles, reading_changes_nothing) {
  const SidecarMount mount(database_);
  Sql sql(database_);
  const auto objects = sql.number("select count(*) from pg_class");
  const auto xid = sql.number("select txid_snapshot_xmax(txid_current_snapshot())");
  for (const std::string& name : files_of(mount)) get(mount.stats(name));
  EXPECT_EQ(sql.number("select count(*) from pg_class"), objects);
  EXPECT_EQ(sql.number("select txid_snapshot_xmax(txid_current_snapshot())"), xid);
}

TEST_F(SidecarFiles, a_stopped_collector_does_not_hold_a_reader_that_has_something) {
  const SidecarMount mount(database_);
  const std::string before = get(mount.stats("health"));
  const auto backend = static_cast<pid_t>(Sql(database_).number(
      "select pid from pg_stat_activity where application_name = 'tusk-stats' "
      "and datname = current_database()"));
  ASSERT_EQ(::kill(backend, SIGSTOP), 0);
  std::this_thread::sleep_for(seconds(2));  // what is shown is old by now
  const auto first = time_of([&] { EXPECT_EQ(get(mount.stats("health")), before); });
  const auto many = time_of([&] {
    for (int i = 0; i < 20; i++) EXPECT_EQ(run_ok({"cat", mount.stats("health")}), before);
  });
  ::kill(backend, SIGCONT);
  EXPECT_LT(first, seconds(5));
  EXPECT_LT(many, seconds(8));  // who comes later does not wait anew
}

TEST_F(SidecarFiles, a_locked_table_holds_nobody) {
  Sql sql(database_);
  sql.run("create table locked (a int primary key)");
  sql.run("begin; lock table locked in access exclusive mode");
  const SidecarMount mount(database_);
  std::string text;
  EXPECT_LT(time_of([&] { text = get(mount.stats("tables")); }), seconds(30));
  EXPECT_FALSE(text.empty());
  RecordProperty("tables", text);
  EXPECT_LT(time_of([&] { get(mount.stats("health")); }), seconds(30));
  sql.run("rollback");
  EXPECT_TRUE(eventually([&] { return holds(get(mount.stats("tables")), "locked"); }));
}

TEST(SidecarServer, an_outage_is_told_and_passes) {
  Server server;
  const SidecarMount mount(server.conninfo());
  EXPECT_FALSE(holds(get(mount.stats("health")), "unreachable"));
  server.stop();
  EXPECT_TRUE(eventually([&] {
    return get(mount.stats("health")).starts_with("score 0\nstatus critical\nreason unreachable");
  }));
  EXPECT_EQ(get(mount.stats("score")), "0\n");
  EXPECT_TRUE(holds(get(mount.stats("metrics")), "tusk_up 0\n"));
  EXPECT_TRUE(eventually([&] { return get(mount.stats("tables")).starts_with("# unreachable"); }));
  for (const std::string& name : files_of(mount)) {
    SCOPED_TRACE(name);
    std::string text;
    EXPECT_NO_THROW(text = get(mount.stats(name)));
    if (name.ends_with(".json")) {
      EXPECT_TRUE(Json::accept(text)) << text;
    }
  }
  server.start();
  EXPECT_TRUE(eventually([&] { return !holds(get(mount.stats("health")), "unreachable"); }));
  EXPECT_TRUE(eventually([&] { return !holds(get(mount.stats("tables")), "#"); }));
}

TEST_F(SidecarFiles, pg_monitor_is_enough) {
  Sql(database_).run("drop role if exists watcher; create role watcher login in role pg_monitor");
  const SidecarMount mount(role_of(database_, "watcher"));
  for (const std::string& name : files_of(mount)) {
    EXPECT_FALSE(holds(get(mount.stats(name)), "permission denied")) << name;
  }
}

TEST_F(SidecarFiles, hostile_names_stay_in_their_lines) {
  const std::vector<std::string> names = {"new\nline",
                                          "quo\"\"te'",
                                          "</script><b>",
                                          "\x1b[2J\x1b]0;x\a",
                                          "tab\tback\\",
                                          "c1\xc2\x9b"
                                          "2J",
                                          std::string(60, 'x') + "\xe2\x82\xac"};
  Sql sql(database_);
  for (const std::string& name : names) sql.run("create table \"" + name + "\" (a int)");
  const SidecarMount mount(database_);
  for (const std::string name : {"tables", "dashboard", "vacuum", "sizes", "metrics"}) {
    const std::string text = get(mount.stats(name));
    EXPECT_EQ(text.find('\x1b'), std::string::npos) << name;
    EXPECT_EQ(text.find("\xc2\x9b"), std::string::npos) << name;
  }
  const auto lines = lines_of(get(mount.stats("tables")));
  const auto said = Json::parse(get(mount.stats("tables.json")));
  const auto advice =
      std::ranges::count_if(lines, [](const auto& line) { return line.starts_with("#"); });
  EXPECT_EQ(lines.size() - static_cast<std::size_t>(advice), said.at("rows").size() + 1);
  std::set<std::string> seen;
  for (const Json& row : said.at("rows")) seen.insert(row.at("table_name"));
  EXPECT_TRUE(std::ranges::any_of(seen, [](const auto& name) { return holds(name, "new\nline"); }));
  for (const std::string& name : files_of(mount))
    if (name.ends_with(".json")) {
      EXPECT_TRUE(Json::accept(get(mount.stats(name)))) << name;
    }
}

TEST_F(SidecarFiles, dead_rows_and_idle_connections_show_and_clear) {
  const SidecarMount mount(database_);
  Sql sql(database_);
  sql.run(
      "create table churned (a int) with (autovacuum_enabled = false);"
      "insert into churned select generate_series(1, 20000)");
  sql.run("delete from churned where a % 2 = 0");
  const auto dead = [&] {
    const Json json = Json::parse(get(mount.stats("tables.json")));
    for (const Json& row : json.at("rows"))
      if (holds(row.at("table_name"), "churned")) return row.at("dead_rows").get<int>();
    return -1;
  };
  EXPECT_TRUE(eventually([&] { return dead() == 10000; })) << get(mount.stats("tables"));
  EXPECT_TRUE(holds(get(mount.stats("tables")), "# advice: ")) << get(mount.stats("tables"));
  sql.run("vacuum churned");
  EXPECT_TRUE(eventually([&] { return dead() == 0; })) << get(mount.stats("tables"));

  const auto used = [&] { return component_of(mount, "connections"); };
  const double before = used();
  std::vector<std::unique_ptr<Sql>> crowd;
  for (int i = 0; i < 40; i++) crowd.push_back(std::make_unique<Sql>(database_));
  EXPECT_TRUE(eventually([&] { return used() > before + 20; })) << get(mount.stats("health"));
  crowd.clear();
  EXPECT_TRUE(eventually([&] { return used() < before + 20; })) << get(mount.stats("health"));
}

TEST_F(SidecarFiles, thresholds_are_written_and_stay) {
  {
    const SidecarMount mount(database_);
    const auto set = [&](const std::string& text) {
      const Fd fd = open_file(mount.stats("thresholds/dead_tuples"), O_WRONLY | O_TRUNC);
      return errno_of(::write(fd.get(), text.data(), text.size()));
    };
    EXPECT_EQ(get(mount.stats("thresholds/dead_tuples")), "20 40\n");
    EXPECT_EQ(get(mount.stats("thresholds/idle_ratio")), "- 75\n");
    for (const char* wrong : {"", "20", "20 40 60", "a b", "20 4O", "nan 40", "20;40"})
      EXPECT_EQ(set(wrong), *wrong == '\0' ? 0 : EINVAL) << wrong;
    EXPECT_EQ(set("40 20"), ERANGE);
    EXPECT_EQ(set(std::string(5000, '1')), EFBIG);
    EXPECT_EQ(Sql(database_).value("select to_regnamespace('tusk_stats') is null"), "t");
    EXPECT_EQ(set("70 80\n"), 0);
    EXPECT_EQ(get(mount.stats("thresholds/dead_tuples")), "70 80\n");
  }
  const SidecarMount again(database_);
  EXPECT_EQ(get(again.stats("thresholds/dead_tuples")), "70 80\n");
  const Json health = Json::parse(get(again.stats("health.json")));
  for (const Json& each : health.at("components"))
    EXPECT_TRUE(each.at("component") != "dead_tuples" || each.at("warn") == 70);
}

TEST_F(SidecarFiles, views_give_the_numbers_of_the_files) {
  EXPECT_TRUE(run_ok({TUSKFS_BINARY, "sidecar", "--install", database_}).ends_with("tusk_cache\n"));
  run_ok({TUSKFS_BINARY, "sidecar", "--install", database_});  // anew
  Sql sql(database_);
  sql.run("create table counted as select generate_series(1, 5000) a; analyze counted");
  const SidecarMount mount(database_);
  for (const std::string& name : files_of(mount)) {
    if (!name.ends_with(".json") || name.starts_with("dashboard") || name.starts_with("alerts") ||
        name == "health.json" || name == "score.json" || name.starts_with("weekly_report"))
      continue;
    const std::string statistic = name.substr(0, name.find('.'));
    SCOPED_TRACE(statistic);
    EXPECT_TRUE(eventually([&] {
      const Json rows = Json::parse(get(mount.stats(name))).at("rows");
      return sql.number("select count(*) from tusk_stats." + statistic) ==
             static_cast<std::int64_t>(rows.size());
    }));
    EXPECT_NE(sql.value("select obj_description('tusk_stats." + statistic + "'::regclass)"),
              "<null>");
  }
  EXPECT_TRUE(eventually([&] {
    return get(mount.stats("score")) == sql.value("select score from tusk_stats.health") + "\n";
  }));
  EXPECT_EQ(sql.value("select has_table_privilege('tusk_monitor', 'tusk_stats.health', 'select')"),
            "t");
}

TEST_F(SidecarFiles, a_blocked_backend_shows_and_clears) {
  const SidecarMount mount(database_);
  Sql holder(database_);
  holder.run("create table wanted (a int)");
  holder.run("begin; lock table wanted");
  std::jthread blocked([this] { Sql(database_).run("table wanted"); });
  const auto rows = [&] { return Json::parse(get(mount.stats("locks.json"))).at("rows").size(); };
  EXPECT_TRUE(eventually([&] { return rows() > 0; }));
  // Who waits for five seconds counts.
  EXPECT_TRUE(eventually([&] { return component_of(mount, "blocked") >= 1; }))
      << get(mount.stats("health"));
  holder.run("rollback");
  EXPECT_TRUE(eventually([&] { return rows() == 0; })) << get(mount.stats("locks"));
  EXPECT_TRUE(eventually([&] { return component_of(mount, "blocked") == 0; }))
      << get(mount.stats("health"));
}

TEST_F(SidecarFiles, two_hundred_readers_use_one_connection) {
  const SidecarMount mount(database_), second(database_);
  std::atomic<int> good = 0;
  std::atomic<bool> over = false;
  int most = 0;
  {
    std::vector<std::jthread> readers;
    for (int i = 0; i < 200; i++) {
      readers.emplace_back([&, i] {
        const SidecarMount& from = i % 2 == 0 ? mount : second;
        for (const char* name : {"health", "tables", "dashboard.json", "metrics"})
          if (!get(from.stats(name)).empty()) good++;
      });
    }
    std::jthread watch([&] {
      while (!over) most = std::max(most, collectors(database_));
    });
    readers.clear();
    over = true;
  }
  EXPECT_EQ(good, 800);
  EXPECT_GE(most, 1);
  EXPECT_LE(most, 2);  // one for each mount
}

}  // namespace
}  // namespace tusk::test
