// A real primary with a synchronous streaming standby: the primary dies under load, the standby is
// promoted, and the mount goes on by itself.
#include <fmt/format.h>

#include <atomic>
#include <fstream>
#include <set>
#include <thread>

#include "support/fs_fixture.h"
#include "support/fs_server.h"
#include "support/fs_sql.h"

namespace tusk::test {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point then) {
  return std::chrono::duration<double>(Clock::now() - then).count();
}

std::string content_of(const std::string& name) {
  return pattern(1 + std::hash<std::string>{}(name) % 9000, std::hash<std::string>{}(name));
}

// Writes file after file, each synced, and notes it outside of the mount after its fsync returned.
class Writer {
 public:
  Writer(Path folder, const Path& record, std::string name)
      : folder_(std::move(folder)), record_(record), name_(std::move(name)) {
    thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
  }
  void stop() {
    thread_.request_stop();
    thread_.join();
  }
  int synced() const { return synced_; }
  int failed() const { return failed_; }

 private:
  void run(const std::stop_token& stop) {
    const Fd log = open_file(folder_ / (name_ + ".log"), O_WRONLY | O_CREAT | O_APPEND);
    for (int i = 0; !stop.stop_requested(); i++) {
      const std::string name = name_ + "-" + std::to_string(i);
      put(folder_ / name, content_of(name));
      append_to(log.get(), name + "\n");
      const int file = errno_of(::fsync(open_file(folder_ / name, O_RDONLY).get()));
      if (file != 0 || ::fsync(log.get()) != 0) {
        failed_++;
        continue;
      }
      record_ << name << '\n' << std::flush;
      synced_++;
    }
  }

  const Path folder_;
  std::ofstream record_;
  const std::string name_;
  std::atomic<int> synced_ = 0, failed_ = 0;
  std::jthread thread_;
};

std::vector<std::string> lines_in(const Path& file) {
  std::vector<std::string> lines;
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

class FailoverTest : public OwnMountTest {
 protected:
  void bring_up(const std::vector<std::string>& args = {}) {
    primary_ = std::make_unique<Server>();
    standby_ = std::make_unique<Server>(
        ServerSetup{.data = {}, .settings = {}, .primary = primary_.get()});
    primary_->await_standby();
    MountSetup setup;
    setup.database = conninfo_of_both(*primary_, *standby_);
    setup.args = args;
    mount_ = std::make_unique<Mount>(setup);
  }
  void TearDown() override {
    if (mount_)
      expect_sound(*mount_, {"connect", "database", "server", "committed", "terminat", "primary"});
  }
  Path at(const std::string& name) const { return mount_->path() / name; }
  static int sync(const Path& path) { return errno_of(::fsync(open_file(path, O_RDONLY).get())); }

  void start_writers() {
    for (int i = 0; i < 4; i++) {
      const std::string name = "w" + std::to_string(i);
      writers_.push_back(
          std::make_unique<Writer>(mount_->path(), mount_->folder() / (name + ".record"), name));
    }
    ASSERT_TRUE(eventually([&] { return all_beyond({20, 20, 20, 20}); }));
  }
  std::vector<int> synced() const {
    std::vector<int> out;
    for (const auto& writer : writers_) out.push_back(writer->synced());
    return out;
  }
  bool all_beyond(const std::vector<int>& counts) const {
    for (std::size_t i = 0; i < counts.size(); i++)
      if (writers_[i]->synced() <= counts[i]) return false;
    return true;
  }
  // A file that was begun afterwards is synced by each writer: prints how long that took.
  void expect_going_on(const char* what, Clock::time_point since) {
    std::vector<int> next = synced();
    for (int& count : next) count++;
    ASSERT_TRUE(eventually([&] { return all_beyond(next); }, 120s)) << mount_->log();
    fmt::print("{}: all writers go on after {:.2f} s\n", what, seconds_since(since));
    std::fflush(stdout);
  }
  // What was synced is there, each name once, and nothing is there that was not written.
  void expect_all_there() {
    const std::vector<std::string> names = names_in(mount_->path());
    EXPECT_EQ(std::set<std::string>(names.begin(), names.end()).size(), names.size());
    for (std::size_t i = 0; i < writers_.size(); i++) {
      EXPECT_EQ(writers_[i]->failed(), 0);
      const std::string writer = "w" + std::to_string(i);
      const auto recorded = lines_in(mount_->folder() / (writer + ".record"));
      EXPECT_EQ(static_cast<int>(recorded.size()), writers_[i]->synced());
      for (const std::string& name : recorded)
        ASSERT_TRUE(get(at(name)) == content_of(name)) << name;
      std::vector<std::string> lines = lines_in(at(writer + ".log"));
      ASSERT_GE(lines.size(), recorded.size());
      for (std::size_t n = 0; n < lines.size(); n++)
        ASSERT_EQ(lines[n], writer + "-" + std::to_string(n)) << "a line is lost or doubled";
    }
    Sql sql(standby_->conninfo());
    EXPECT_EQ(sql.number("select count(*) - count(distinct (folder_id, filename)) from tusk.files "
                         "where deleted_at is null"),
              0);
    EXPECT_EQ(sql.number("select count(*) from tusk.files where filename ~ '^w[0-9]-' "
                         "and (version <> 1 or deleted_at is not null)"),
              0);
    EXPECT_EQ(sql.number("select count(*) from tusk.files where deleted_at is null"),
              static_cast<std::int64_t>(names.size()));
  }
  void stop_writers() {
    for (const auto& writer : writers_) writer->stop();
    EXPECT_EQ(sync(mount_->path()), 0);
  }

  std::unique_ptr<Server> primary_, standby_;
  std::unique_ptr<Mount> mount_;
  std::vector<std::unique_ptr<Writer>> writers_;
};

TEST_F(FailoverTest, a_primary_killed_under_load_loses_and_doubles_nothing) {
  bring_up();
  start_writers();
  const auto killed = Clock::now();
  primary_->kill9_all();
  std::this_thread::sleep_for(500ms);  // that nobody answers is part of the load
  standby_->promote();
  const auto promoted = Clock::now();
  fmt::print("promoted {:.2f} s after the kill\n",
             std::chrono::duration<double>(promoted - killed).count());
  expect_going_on("killed", promoted);
  stop_writers();
  expect_all_there();
  EXPECT_EQ(Sql(standby_->conninfo()).value("select pg_is_in_recovery()"), "f");
}

TEST_F(FailoverTest, a_primary_that_hangs_is_left_and_ignored_when_it_comes_round) {
  bring_up();
  start_writers();
  primary_->freeze();
  standby_->promote();
  expect_going_on("frozen", Clock::now());
  primary_->thaw();
  // Whoever connects anew meets the former primary first.
  Sql sql(standby_->conninfo());
  sql.rows(
      "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'tuskfs'");
  expect_going_on("cut off beside a former primary", Clock::now());
  stop_writers();
  expect_all_there();
  put(at("last"), "x");
  EXPECT_EQ(sync(at("last")), 0);
  EXPECT_EQ(sql.number("select count(*) from tusk.files where filename = 'last'"), 1);
  EXPECT_EQ(
      Sql(primary_->conninfo()).number("select count(*) from tusk.files where filename = 'last'"),
      0);
}

TEST_F(FailoverTest, everything_of_a_mount_goes_to_the_new_primary) {
  bring_up({"--sidecar"});
  put(at("file"), "content");
  put(at("cache/key"), "value");
  ASSERT_EQ(sync(at("file")), 0);
  ASSERT_FALSE(get(at("stats/health")).empty());
  primary_->kill9_all();
  standby_->promote();
  const auto promoted = Clock::now();
  Sql sql(standby_->conninfo());
  // An idle mount finds out by itself, and lets SQL clients in.
  ASSERT_TRUE(eventually([&] {
    return sql.number("select count(*) from pg_stat_activity where application_name = 'tuskfs'") >=
           2;
  }));
  fmt::print("idle: connected after {:.2f} s\n", seconds_since(promoted));
  sql.run(
      "insert into tusk.files (tenant_id, filename, data) select id, 'by SQL', 'y' from "
      "tusk.tenants");
  EXPECT_TRUE(eventually([&] { return present(at("by SQL")); }));
  EXPECT_EQ(get(at("file")), "content");
  put(at("cache/key2"), "value2");
  EXPECT_TRUE(eventually([&] { return get(at("cache/key2")) == "value2"; }));
  ASSERT_TRUE(
      eventually([&] { return sql.number("select count(to_regclass('tusk_cache.cache'))") == 1; }));
  EXPECT_TRUE(eventually(
      [&] { return sql.number("select count(*) from tusk_cache.cache where key = 'key2'") == 1; }));
  EXPECT_TRUE(eventually([&] {
    return get(at("stats/health")).find("standby") == std::string::npos &&
           sql.number(
               "select count(*) from pg_stat_activity where application_name = "
               "'tusk-stats'") == 1;
  }));
  EXPECT_NE(run_ok({TUSKFS_BINARY, "status", mount_->path()}).find(standby_->folder().string()),
            std::string::npos);
}

// Nobody waits for the only synchronous standby in vain: what is not on it is not acknowledged.
TEST_F(FailoverTest, fsync_waits_until_the_standby_has_it) {
  bring_up();
  put(at("before"), "x");
  ASSERT_EQ(sync(at("before")), 0);
  standby_->freeze();
  put(at("file"), "x");
  Child syncing({"sync", at("file")});
  EXPECT_FALSE(eventually([&] { return !syncing.running(); }, 1s));
  standby_->thaw();
  EXPECT_TRUE(syncing.wait(60s).ok());
}

// The names are what the promise hangs on.
TEST_F(FailoverTest, of_several_hosts_the_one_that_takes_writes_is_found_whatever_the_order) {
  primary_ = std::make_unique<Server>();
  standby_ =
      std::make_unique<Server>(ServerSetup{.data = {}, .settings = {}, .primary = primary_.get()});
  MountSetup setup;
  setup.database = conninfo_of_both(*standby_, *primary_);
  mount_ = std::make_unique<Mount>(setup);
  put(at("file"), "x");
  EXPECT_EQ(sync(at("file")), 0);
  EXPECT_EQ(Sql(primary_->conninfo()).number("select count(*) from tusk.files"), 1);
}

}  // namespace
}  // namespace tusk::test
