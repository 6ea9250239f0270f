// stats/: what a server says of itself, as files that behave like files.
#include <fcntl.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <thread>

#include "support/fs_calls.h"
#include "support/fs_fixture.h"
#include "support/fs_server.h"
#include "support/fs_sql.h"
#include "support/sidecar_mount.h"

namespace tusk::test {
namespace {

using namespace std::chrono_literals;
using Json = nlohmann::json;

class StatsFiles : public OwnMountTest {
 protected:
  void SetUp() override {
    OwnMountTest::SetUp();
    if (IsSkipped()) return;
    server_ = std::make_unique<Server>();
    sql_ = std::make_unique<Sql>(server_->conninfo());
    side_ = std::make_unique<SidecarMount>(server_->conninfo());
  }
  Path stats(const std::string& name) const { return side_->stats(name); }
  Json json(const std::string& name) const { return Json::parse(get(stats(name + ".json"))); }
  Json json(const std::string& name, const std::string& key) const { return json(name).at(key); }
  Json score_of(const std::string& component) const {
    const Json components = json("health", "components");
    for (const Json& each : components)
      if (each.at("component") == component) return each.at("score");
    return "no such component";
  }
  // Asks until it is so, or for long enough.
  template <class Fn>
  static bool becomes(Fn is_so) {
    for (const auto end = std::chrono::steady_clock::now() + 30s;
         std::chrono::steady_clock::now() < end; std::this_thread::sleep_for(100ms))
      if (is_so()) return true;
    return false;
  }
  std::unique_ptr<Server> server_;
  std::unique_ptr<Sql> sql_;
  std::unique_ptr<SidecarMount> side_;
};

TEST_F(StatsFiles, tools_agree_on_size_and_bytes) {
  for (const std::string& name : names_in(side_->path() / "stats")) {
    const Path file = stats(name);
    const std::string script =
        "import os,sys\nf=open(sys.argv[1],'rb');b=f.read();s=os.fstat(f.fileno()).st_size\n"
        "print(len(b)==s)";
    EXPECT_EQ(run_ok({"python3", "-c", script, file}), "True\n") << name;
    const Fd fd = open_file(file, O_RDONLY);
    const std::string bytes = read_at(fd.get(), 0, 1 << 20);
    EXPECT_EQ(static_cast<std::size_t>(stat_of(fd.get()).st_size), bytes.size()) << name;
    EXPECT_FALSE(bytes.empty()) << name;
    EXPECT_TRUE(bytes.ends_with('\n') || name.ends_with(".html")) << name;
  }
  EXPECT_EQ(run_ok({"sh", "-c", "grep -rl score " + stats("").string() + " | grep -c health"}), "2\n");
  run_ok({"cp", "-r", stats(""), side_->path().parent_path() / "copy"});
}

TEST_F(StatsFiles, one_snapshot_for_each_open_and_a_new_one_from_the_start_later) {
  const Fd fd = open_file(stats("health.json"), O_RDONLY);
  const std::string first = read_at(fd.get(), 0, 1 << 20);
  EXPECT_EQ(read_at(fd.get(), 10, 100), first.substr(10, 100));
  EXPECT_TRUE(becomes([&] { return read_at(fd.get(), 0, 1 << 20) != first; }));
  const auto mtime = nanoseconds(stat_of(stats("health")).st_mtim);
  EXPECT_TRUE(becomes([&] { return nanoseconds(stat_of(stats("health")).st_mtim) > mtime; }));
}

TEST_F(StatsFiles, what_cannot_be_done_says_so) {
  EXPECT_EQ(errno_of_open(stats("health"), O_WRONLY), EACCES);
  EXPECT_EQ(errno_of_open(stats("health"), O_RDWR | O_TRUNC), EACCES);
  EXPECT_EQ(errno_of(::truncate(stats("health").c_str(), 0)), EACCES);
  EXPECT_EQ(errno_of(::unlink(stats("health").c_str())), EPERM);
  EXPECT_EQ(errno_of(::rename(stats("health").c_str(), stats("other").c_str())), EPERM);
  EXPECT_EQ(errno_of(::mkdir(stats("folder").c_str(), 0755)), EPERM);
  EXPECT_EQ(errno_of(::rmdir((side_->path() / "stats").c_str())), EPERM);
  EXPECT_EQ(errno_of_open(stats("none"), O_RDONLY), ENOENT);
  EXPECT_EQ(errno_of_open(stats("none"), O_WRONLY | O_CREAT), EPERM);
  EXPECT_EQ(errno_of(::chmod(stats("health").c_str(), 0777)), EPERM);
  EXPECT_EQ(errno_of(::setxattr(stats("health").c_str(), "user.x", "y", 1, 0)), ENOTSUP);
  EXPECT_EQ(permissions_of(stats("slow_queries")), mode_t{0440});
  EXPECT_EQ(permissions_of(stats("health")), mode_t{0444});
}

TEST_F(StatsFiles, numbers_follow_what_happens_on_the_server) {
  sql_->run("create table public.bloated (a int) with (autovacuum_enabled = off)");
  sql_->run("insert into public.bloated select generate_series(1, 10000)");
  EXPECT_EQ(score_of("dead_tuples"), 1);
  sql_->run("update public.bloated set a = a + 1");
  EXPECT_TRUE(becomes([&] { return score_of("dead_tuples") == 0; }));
  EXPECT_EQ(json("health", "status"), "critical");
  EXPECT_LE(json("health", "score"), 49);
  EXPECT_TRUE(becomes([&] {
    return get(stats("tables")).find("# advice: VACUUM ANALYZE public.bloated;") != std::string::npos;
  }));
  EXPECT_NE(get(stats("metrics")).find("tusk_health_component_score{component=\"dead_tuples\"} 0\n"),
            std::string::npos);
  sql_->run("vacuum analyze public.bloated");
  EXPECT_TRUE(becomes([&] { return score_of("dead_tuples") == 1; }));

  Sql holder(server_->conninfo());
  holder.run("begin; lock table public.bloated in access exclusive mode");
  std::jthread blocked([this] { Sql(server_->conninfo()).run("select count(*) from public.bloated"); });
  EXPECT_TRUE(becomes([&] { return !json("locks", "rows").empty(); }));
  EXPECT_FALSE(get(stats("tables")).empty());  // nothing waits for the lock
  holder.run("rollback");
  blocked.join();
  EXPECT_TRUE(becomes([&] { return json("locks", "rows").empty(); }));
}

TEST_F(StatsFiles, hostile_names_stay_in_their_lines) {
  const std::string name = "a\nb\"<script>\x1b[31m'; drop";
  sql_->run("create table public.\"a\nb\"\"<script>\x1b[31m'; drop\" (a int)");
  sql_->run("insert into public.\"a\nb\"\"<script>\x1b[31m'; drop\" select 1");
  ASSERT_TRUE(becomes([&] {
    const Json rows = json("tables", "rows");
    for (const Json& row : rows)
      if (row.at("table_name") == name) return true;
    return false;
  }));
  const std::string text = get(stats("tables"));
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
  EXPECT_NE(text.find("a b\"<script> [31m'; drop"), std::string::npos);
  const std::string page = get(stats("dashboard.html"));
  EXPECT_EQ(page.find("b\"<script>"), std::string::npos);
  EXPECT_EQ(page.find("<script>\\u001b"), std::string::npos);
}

TEST_F(StatsFiles, a_server_that_is_away_is_critical_and_no_error) {
  EXPECT_EQ(get(stats("score")), "100\n");
  server_->kill9();
  ASSERT_TRUE(becomes([&] { return get(stats("score")) == "0\n"; }));
  const std::string health = get(stats("health"));
  EXPECT_TRUE(health.starts_with("score 0\nstatus critical\nreason unreachable")) << health;
  EXPECT_TRUE(becomes([&] { return get(stats("connections")).starts_with("# unreachable"); }));
  EXPECT_NE(get(stats("metrics")).find("tusk_up 0\n"), std::string::npos);
  server_->start();
  EXPECT_TRUE(becomes([&] { return get(stats("score")) == "100\n"; }));
}

TEST_F(StatsFiles, many_readers_share_one_connection_and_nothing_is_created) {
  std::vector<std::jthread> readers;
  for (int i = 0; i < 50; i++) {
    readers.emplace_back([this, i] {
      const char* names[] = {"health", "tables", "connections", "dashboard", "metrics"};
      for (int j = 0; j < 10; j++) get(stats(names[(i + j) % 5]));
    });
  }
  readers.clear();
  EXPECT_EQ(sql_->number("select count(*) from pg_stat_activity where application_name = 'tusk-stats'"),
            1);
  EXPECT_EQ(sql_->number("select count(*) from pg_namespace where nspname like 'tusk%'"), 0);
}

TEST_F(StatsFiles, metrics_are_openmetrics) {
  std::istringstream lines(get(stats("metrics")));
  std::string family, last;
  int samples = 0;
  for (std::string line; std::getline(lines, line); last = line) {
    EXPECT_NE(last, "# EOF");
    if (line.starts_with("# TYPE ")) family = line.substr(7, line.find(' ', 7) - 7);
    if (line.starts_with('#')) continue;
    EXPECT_TRUE(line.starts_with(family)) << line;
    EXPECT_NO_THROW(std::stod(line.substr(line.rfind(' ') + 1))) << line;
    samples++;
  }
  EXPECT_EQ(last, "# EOF");
  EXPECT_GT(samples, 20);
}

}  // namespace
}  // namespace tusk::test
