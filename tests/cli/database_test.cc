// Databases that cannot be mounted: one clear line, exit status 1, and nothing changed.
#include <gtest/gtest.h>

#include <algorithm>

#include "support/fs_server.h"
#include "support/mount.h"

namespace tusk::test {
namespace {

namespace fs = std::filesystem;

class RefusedDatabase : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { server_ = std::make_unique<Server>(); }
  static void TearDownTestSuite() { server_.reset(); }
  RefusedDatabase() { fs::create_directory(mnt_); }

  static std::string sql(const std::string& statement, const std::string& conninfo = {}) {
    return run_ok({"psql", conninfo.empty() ? server_->conninfo() : conninfo, "-AtXqc", statement});
  }
  // The server's own database given another name, user or password.
  static std::string with(const std::string& more) { return server_->conninfo() + " " + more; }

  Finished mount(const std::string& database, std::vector<std::string> further = {}) {
    std::vector<std::string> args = {TUSKFS_BINARY, "mount",      database,
                                     mnt_,          "--log-file", temp_.path() / "log"};
    args.insert(args.end(), further.begin(), further.end());
    return run(args);
  }
  void expect_refused(const std::string& database, const std::string& said) {
    const Finished finished = mount(database);
    EXPECT_EQ(finished.status, 1);
    EXPECT_EQ(std::ranges::count(finished.err, '\n'), 1) << finished.err;
    EXPECT_TRUE(finished.err.starts_with("tuskfs: ")) << finished.err;
    EXPECT_NE(finished.err.find(said), std::string::npos) << finished.err;
    EXPECT_EQ(finished.err.find("hush-hush"), std::string::npos) << finished.err;
    EXPECT_FALSE(is_mounted(mnt_));
  }

  static std::unique_ptr<Server> server_;
  TempFolder temp_;
  fs::path mnt_ = temp_.path() / "mnt";
};
std::unique_ptr<Server> RefusedDatabase::server_;

TEST_F(RefusedDatabase, that_does_not_exist) {
  expect_refused(with("dbname=nowhere"), "\"nowhere\" does not exist");
}

TEST_F(RefusedDatabase, of_a_role_that_does_not_exist) {
  expect_refused(with("user=nobody_at_all password=hush-hush"), "nobody_at_all");
}

TEST_F(RefusedDatabase, by_a_wrong_password) {
  sql("create role guarded login password 'right'");
  std::string rules = sql("show hba_file");
  rules.pop_back();
  run_ok({"sed", "-i", "1i local all guarded scram-sha-256", rules});
  sql("select pg_reload_conf()");
  expect_refused(with("user=guarded password=hush-hush"), "password authentication failed");
  expect_refused(with("user=guarded"), "no password");
}

TEST_F(RefusedDatabase, on_an_unknown_host) {
  expect_refused("host=no.such.host.invalid dbname=x password=hush-hush", "no.such.host.invalid");
}

TEST_F(RefusedDatabase, by_a_connection_string_that_is_none) {
  expect_refused("frobnicate=hush-hush", "connection string");
}

TEST_F(RefusedDatabase, that_is_not_utf8) {
  sql("create database latin encoding 'LATIN1' lc_collate 'C' lc_ctype 'C' template template0");
  expect_refused(with("dbname=latin"), "UTF");
}

TEST_F(RefusedDatabase, where_we_may_not_make_the_schema) {
  sql("create database closed");
  sql("create role weak login");
  expect_refused(with("dbname=closed user=weak"), "permission denied");
  EXPECT_EQ(sql("select count(*) from pg_namespace where nspname = 'tusk'", with("dbname=closed")),
            "0\n");
}

TEST_F(RefusedDatabase, whose_schema_is_newer) {
  sql("create database newer");
  ASSERT_EQ(run({TUSKFS_BINARY, "migrate", with("dbname=newer"), "up"}).status, 0);
  sql("insert into tusk.schema_migrations (version, name, checksum) values (9999, 'later', 'x')",
      with("dbname=newer"));
  expect_refused(with("dbname=newer"), "newer");
}

TEST_F(RefusedDatabase, whose_schema_has_drifted) {
  sql("create database drifted");
  ASSERT_EQ(run({TUSKFS_BINARY, "migrate", with("dbname=drifted"), "up"}).status, 0);
  sql("update tusk.schema_migrations set checksum = 'x'", with("dbname=drifted"));
  expect_refused(with("dbname=drifted"), "0001");
}

TEST_F(RefusedDatabase, is_taken_once_it_is_right) {
  sql("create database good");
  const Finished finished = mount(with("dbname=good"));
  EXPECT_EQ(finished.status, 0) << finished.err;
  EXPECT_TRUE(is_mounted(mnt_));
  EXPECT_EQ(run({TUSKFS_BINARY, "umount", mnt_}).status, 0);
}

TEST_F(RefusedDatabase, service_files_and_environment_work_as_in_psql) {
  sql("create database served");
  const auto value_of = [&](const std::string& key) {
    return run_ok({"psql", server_->conninfo(), "-AtXqc", "\\echo :" + key});
  };
  std::string user = value_of("USER"), host = value_of("HOST"), port = value_of("PORT");
  for (std::string* text : {&user, &host, &port}) text->pop_back();
  const Spawn spawn = {.env = {{"PGHOST", host}, {"PGPORT", port}, {"PGUSER", user}}};
  const Finished finished = run({TUSKFS_BINARY, "migrate", "dbname=served", "up"}, spawn);
  EXPECT_EQ(finished.status, 0) << finished.err;
}

}  // namespace
}  // namespace tusk::test
