#include "tuskfs/store/embedded.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <stdexcept>
#include <thread>

#include "support/mount.h"
#include "support/process.h"

namespace tusk::test {
namespace {

using store::EmbeddedCluster;

class Embedded : public ::testing::Test {
 protected:
  ~Embedded() override { stop_embedded(data_); }

  std::unique_ptr<EmbeddedCluster> claim() {
    auto cluster = EmbeddedCluster::claim(data_);
    if (!cluster) throw std::runtime_error(cluster.error().what);
    return *std::move(cluster);
  }
  pid_t postmaster() const {
    pid_t pid = 0;
    std::ifstream(data_ / "cluster" / "postmaster.pid") >> pid;
    return pid;
  }
  bool socket_exists() const { return std::filesystem::exists(data_ / ".s.PGSQL.5432"); }
  static std::string ask(const std::string& conninfo, const std::string& statement) {
    return run_ok({"psql", conninfo, "-AtXqc", statement});
  }

  TempFolder temp_;
  std::filesystem::path data_ = temp_.path() / "data";
};

TEST_F(Embedded, cluster_is_made_with_checksums_and_utf8_and_no_network) {
  const auto cluster = claim();
  EXPECT_EQ(ask(cluster->conninfo(), "show data_checksums"), "on\n");
  EXPECT_EQ(ask(cluster->conninfo(), "show server_encoding"), "UTF8\n");
  EXPECT_EQ(ask(cluster->conninfo(), "show listen_addresses"), "\n");
  EXPECT_EQ(ask(cluster->conninfo(), "show fsync"), "on\n");
  EXPECT_EQ(ask(cluster->conninfo(), "select current_database()"), "tuskfs\n");
}

// What a process stands in is asked of its filesystem, which may not answer.
TEST_F(Embedded, cluster_starts_while_a_process_is_on_a_mount_that_hangs) {
  Mount hung;
  const auto folder = hung.path() / "folder";
  std::filesystem::create_directory(folder);
  Child stander({"sleep", "600"}, {.cwd = folder});
  std::ofstream(folder / "file") << "x";  // the kernel asks for the folder's attributes anew
  ASSERT_EQ(::kill(hung.driver(), SIGSTOP), 0);
  const Finished made = run({TUSKFS_BINARY, "migrate", "up", "--data-dir", data_},
                            {.timeout = std::chrono::seconds(60)});
  ASSERT_EQ(::kill(hung.driver(), SIGCONT), 0);
  EXPECT_TRUE(made.ok()) << made.timed_out << made.err;
  stander.signal(SIGKILL);
  stander.wait(std::chrono::seconds(10));
}

TEST_F(Embedded, cluster_is_closed_to_other_users) {
  const auto cluster = claim();
  struct stat folder {};
  ASSERT_EQ(::stat(data_.c_str(), &folder), 0);
  EXPECT_EQ(folder.st_mode & 07777, 0700u);
  if (::geteuid() != 0) return;
  const Finished stranger =
      run({"psql", cluster->conninfo(), "-c", "select 1"}, {.user = ordinary_user()});
  EXPECT_NE(stranger.status, 0);
}

TEST_F(Embedded, cluster_stops_with_its_last_claim) {
  auto first = claim();
  auto second = claim();
  first.reset();
  EXPECT_TRUE(socket_exists());
  second.reset();
  EXPECT_FALSE(socket_exists());
}

TEST_F(Embedded, cluster_keeps_its_data) {
  auto cluster = claim();
  ask(cluster->conninfo(), "create table t as select 42 as answer");
  cluster.reset();
  cluster = claim();
  EXPECT_EQ(ask(cluster->conninfo(), "select answer from t"), "42\n");
}

TEST_F(Embedded, cluster_recovers_from_a_killed_postmaster) {
  auto cluster = claim();
  ask(cluster->conninfo(), "create table t as select 42 as answer");
  for (int round = 0; round < 3; round++) {
    ::kill(postmaster(), SIGKILL);
    auto again = claim();
    EXPECT_EQ(ask(again->conninfo(), "select answer from t"), "42\n");
  }
}

TEST_F(Embedded, claim_starts_its_server_again) {
  const auto cluster = claim();
  ::kill(postmaster(), SIGKILL);
  ASSERT_TRUE(cluster->ensure_running().has_value());
  EXPECT_EQ(ask(cluster->conninfo(), "select 1"), "1\n");
}

TEST_F(Embedded, stale_pid_of_a_stranger_does_not_keep_it_down) {
  auto cluster = claim();
  cluster.reset();
  std::ofstream(data_ / "cluster" / "postmaster.pid") << ::getpid() << "\n" << data_ << "\n";
  cluster = claim();
  EXPECT_EQ(ask(cluster->conninfo(), "select 1"), "1\n");
}

TEST_F(Embedded, half_made_cluster_is_made_anew) {
  std::filesystem::create_directories(data_ / "cluster.new" / "base");
  std::ofstream(data_ / "start.lock");
  const auto cluster = claim();
  EXPECT_EQ(ask(cluster->conninfo(), "select 1"), "1\n");
}

TEST_F(Embedded, claims_at_the_same_time_share_one_server) {
  std::vector<std::unique_ptr<EmbeddedCluster>> claims(4);
  {
    std::vector<std::jthread> threads;
    for (auto& slot : claims) threads.emplace_back([&] { slot = claim(); });
  }
  for (const auto& one : claims) EXPECT_EQ(ask(one->conninfo(), "select 1"), "1\n");
  claims.clear();
  EXPECT_FALSE(socket_exists());
}

TEST_F(Embedded, last_claim_leaves_the_server_to_other_sessions) {
  auto cluster = claim();
  Child session({"psql", cluster->conninfo(), "-AtXqc", "select pg_sleep(600)"});
  const char* sleeping =
      "select count(*) from pg_stat_activity where query = 'select pg_sleep(600)'";
  ASSERT_TRUE(eventually([&] { return ask(cluster->conninfo(), sleeping) == "1\n"; }));
  cluster.reset();
  EXPECT_TRUE(session.running());
  EXPECT_TRUE(socket_exists());
  session.signal(SIGKILL);
  session.wait(std::chrono::seconds(10));
}

TEST_F(Embedded, foreign_folder_is_refused_and_left_alone) {
  std::filesystem::create_directory(data_);
  std::ofstream(data_ / "letter") << "dear";
  const auto cluster = EmbeddedCluster::claim(data_);
  ASSERT_FALSE(cluster.has_value());
  EXPECT_EQ(cluster.error().code, ENOTEMPTY);
  EXPECT_FALSE(std::filesystem::exists(data_ / "cluster"));
  struct stat folder {};
  ASSERT_EQ(::stat(data_.c_str(), &folder), 0);
  EXPECT_EQ(folder.st_uid, ::geteuid());
}

TEST_F(Embedded, path_too_long_for_a_socket_is_refused) {
  const auto cluster = EmbeddedCluster::claim(temp_.path() / std::string(100, 'x'));
  ASSERT_FALSE(cluster.has_value());
  EXPECT_EQ(cluster.error().code, ENAMETOOLONG);
}

TEST_F(Embedded, works_behind_a_folder_closed_to_the_server) {
  std::filesystem::create_directory(temp_.path() / "closed");
  std::filesystem::permissions(temp_.path() / "closed", std::filesystem::perms::owner_all);
  data_ = temp_.path() / "closed" / "with a 'quote'";
  const auto cluster = claim();
  EXPECT_EQ(ask(cluster->conninfo(), "select 1"), "1\n");
}

TEST_F(Embedded, dsn_starts_the_cluster_and_leaves_it_running) {
  for (int round = 0; round < 2; round++) {
    std::string conninfo = run_ok({TUSKFS_BINARY, "dsn", "--data-dir", data_});
    conninfo.pop_back();
    EXPECT_EQ(ask(conninfo, "select 1"), "1\n");
  }
  claim().reset();
  EXPECT_FALSE(socket_exists());
}

TEST_F(Embedded, dsn_works_for_an_ordinary_user) {
  if (::geteuid() != 0) GTEST_SKIP() << "the other tests ran as one";
  const TempFolder theirs(ordinary_user());
  data_ = theirs.path() / "data";
  const Spawn as_them = {.user = ordinary_user()};
  std::string conninfo = run_ok({TUSKFS_BINARY, "dsn", "--data-dir", data_}, as_them);
  conninfo.pop_back();
  EXPECT_EQ(run_ok({"psql", conninfo, "-AtXqc", "select 1"}, as_them), "1\n");
  stop_embedded(data_);
}

TEST_F(Embedded, default_folder_follows_the_environment) {
  const auto folder_with = [&](const std::map<std::string, std::string>& env) {
    const std::string conninfo = run_ok({TUSKFS_BINARY, "dsn"}, {.env = env});
    return conninfo.substr(0, conninfo.find(" port"));
  };
  data_ = temp_.path() / "t";
  EXPECT_EQ(folder_with({{"TUSKFS_DATA", data_}}), "host='" + data_.string() + "'");
  stop_embedded(data_);
  data_ = temp_.path() / "x" / "tuskfs";
  EXPECT_EQ(folder_with({{"TUSKFS_DATA", ""}, {"XDG_DATA_HOME", temp_.path() / "x"}}),
            "host='" + data_.string() + "'");
  stop_embedded(data_);
  data_ = temp_.path() / "h" / ".local" / "share" / "tuskfs";
  EXPECT_EQ(folder_with({{"TUSKFS_DATA", ""}, {"XDG_DATA_HOME", ""}, {"HOME", temp_.path() / "h"}}),
            "host='" + data_.string() + "'");
}

}  // namespace
}  // namespace tusk::test
