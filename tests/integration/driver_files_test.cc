// stats/fs/: what the driver did is counted as it was done.
#include <fcntl.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <thread>

#include "support/fs_fixture.h"
#include "support/fs_sql.h"

namespace tusk::test {
namespace {

using namespace std::chrono_literals;
using Json = nlohmann::json;

class DriverFilesTest : public MountTest {
 protected:
  Path stats(const std::string& name) { return mount().path() / ".tusk/stats" / name; }
  // The row of an operation; null before it has run.
  Json row(const std::string& file, const std::string& operation) {
    const Json all = Json::parse(get(stats("fs/" + file + ".json")));
    for (const Json& each : all.at("rows"))
      if (each.at("operation") == operation) return each;
    return nullptr;
  }
  std::int64_t number(const std::string& file, const std::string& operation,
                      const std::string& column) {
    const Json found = row(file, operation);
    return found.is_null() ? 0 : static_cast<std::int64_t>(found.at(column).get<double>());
  }
  Json facts(const std::string& file) { return Json::parse(get(stats("fs/" + file + ".json"))); }
};

TEST_F(DriverFilesTest, operations_and_errors_are_counted_one_by_one) {
  const auto made = number("ops", "mkdir", "count"), removed = number("ops", "rmdir", "count"),
             failed = number("ops", "rmdir", "errors");
  for (const char* name : {"a", "b", "c"}) make_folder(at(name));
  put(at("c/file"), "x");
  EXPECT_EQ(errno_of(::rmdir(at("c").c_str())), ENOTEMPTY);
  EXPECT_EQ(errno_of(::rmdir(at("a").c_str())), 0);
  EXPECT_EQ(number("ops", "mkdir", "count"), made + 3);
  EXPECT_EQ(number("ops", "rmdir", "count"), removed + 2);
  EXPECT_EQ(number("ops", "rmdir", "errors"), failed + 1);
  EXPECT_NE(row("ops", "rmdir").at("by_errno").get<std::string>().find("ENOTEMPTY="),
            std::string::npos);
  const std::string text = get(stats("fs/ops"));
  EXPECT_NE(text.find("mkdir"), std::string::npos) << text;
  EXPECT_EQ(text.size(), static_cast<std::size_t>(stat_of(stats("fs/ops")).st_size));
}

TEST_F(DriverFilesTest, who_waits_for_the_database_is_told_from_who_is_answered_from_memory) {
  make_folder(at("first"));
  const auto waited = number("latency", "mkdir", "waited");
  make_folder(at("second"));
  EXPECT_EQ(number("latency", "mkdir", "waited"), waited);
  const auto locked = number("latency", "mkdir", "lock_waited"),
             asked = number("latency", "mkdir", "pg_waited");
  ASSERT_EQ(::fsync(open_file(dir(), O_RDONLY).get()), 0);
  Sql client(mount().dsn());
  client.run("begin");
  client.rows(
      "insert into tusk.files (tenant_id, folder_id, filename) select d.tenant_id, d.id, 'theirs' "
      "from tusk.folders d where d.id = tusk.resolve($1)",
      {tree_path()});
  EXPECT_EQ(facts("delegation").at("delegation"), "lent");
  std::jthread maker([&] { make_folder(at("third")); });
  std::this_thread::sleep_for(300ms);
  client.run("commit");
  maker.join();
  EXPECT_EQ(number("latency", "mkdir", "waited"), waited + 1);
  EXPECT_GE(number("latency", "mkdir", "max_us"), 250'000);
  // All of it for the client's transaction, nothing for the database.
  EXPECT_EQ(number("latency", "mkdir", "lock_waited"), locked + 1);
  EXPECT_GE(number("latency", "mkdir", "lock_p99_us"), 250'000);
  EXPECT_EQ(number("latency", "mkdir", "pg_waited"), asked);
  const Json delegation = facts("delegation");
  EXPECT_GE(delegation.at("delegations_lent"), 1);
  // And why.
  EXPECT_EQ(delegation.at("lent_to").at("who"), "SQL client");
  EXPECT_GT(delegation.at("lent_to").at("backend"), 0);
}

TEST_F(DriverFilesTest, who_syncs_waits_for_the_database) {
  put(at("file"), "x");
  const auto waited = number("latency", "fsync", "waited"),
             asked = number("latency", "fsync", "pg_waited"),
             locked = number("latency", "fsync", "lock_waited");
  const Fd file = open_file(at("file"), O_WRONLY);
  ASSERT_EQ(::write(file.get(), "y", 1), 1);
  ASSERT_EQ(::fsync(file.get()), 0);
  EXPECT_EQ(number("latency", "fsync", "waited"), waited + 1);
  EXPECT_EQ(number("latency", "fsync", "pg_waited"), asked + 1);
  EXPECT_EQ(number("latency", "fsync", "lock_waited"), locked);
  EXPECT_GT(number("latency", "fsync", "pg_p50_us"), 0);
  EXPECT_LE(number("latency", "fsync", "pg_p99_us"), number("latency", "fsync", "max_us"));
}

TEST_F(DriverFilesTest, statements_and_wal_are_told_per_operation) {
  const Json before = facts("sql");
  const std::string noise = pattern(100'000);
  for (int i = 0; i < 20; i++) put(at("file" + std::to_string(i)), noise);
  EXPECT_EQ(errno_of(::mkdir(at("file1").c_str(), 0755)), EEXIST);
  ASSERT_EQ(::fsync(open_file(dir(), O_RDONLY).get()), 0);
  const Json now = facts("sql");
  // A create and a write each, of which few are in a group of their own.
  EXPECT_GE(now.at("changes"), before.at("changes").get<std::int64_t>() + 40);
  EXPECT_GT(now.at("operations"), now.at("changes"));
  EXPECT_GT(now.at("group_statements"), before.at("group_statements"));
  EXPECT_GE(now.at("statements"), now.at("group_statements"));
  EXPECT_GT(now.at("wal_bytes"), before.at("wal_bytes"));
  EXPECT_NEAR(now.at("wal_bytes_per_change").get<double>(),
              now.at("wal_bytes").get<double>() / now.at("changes").get<double>(), 0.01);
  EXPECT_NEAR(now.at("group_statements_per_change").get<double>(),
              now.at("group_statements").get<double>() / now.at("changes").get<double>(), 0.01);
  const std::string text = get(stats("fs/sql"));
  for (const char* key : {"statements_per_operation ", "wal_bytes_per_change ",
                          "wal_bytes_per_inode ", "inodes_committed "})
    EXPECT_NE(text.find(key), std::string::npos) << text;
}

TEST_F(DriverFilesTest, groups_and_their_commits_are_counted) {
  const std::int64_t groups = facts("txg").at("groups"),
                     inodes = facts("txg").at("inodes_committed");
  for (int i = 0; i < 20; i++) put(at("file" + std::to_string(i)), "x");
  ASSERT_EQ(::fsync(open_file(dir(), O_RDONLY).get()), 0);
  const Json now = facts("txg");
  EXPECT_GT(now.at("groups"), groups);
  EXPECT_GE(now.at("inodes_committed"), inodes + 20);
  EXPECT_GT(now.at("commit_p50_ms"), 0.0);
  EXPECT_GE(now.at("commit_max_ms"), now.at("commit_p50_ms"));
  EXPECT_EQ(now.at("dirty_inodes"), 0);
  EXPECT_EQ(now.at("lag_ms"), 0.0);
  EXPECT_GT(facts("cache").at("cached_inodes"), 20);
  EXPECT_EQ(facts("pool").at("connected"), true);
  EXPECT_NE(get(stats("fs/txg")).find("\nlag_ms "), std::string::npos);
}

TEST_F(DriverFilesTest, metrics_have_them_and_promtool_accepts_that) {
  make_folder(at("folder"));
  ASSERT_EQ(::fsync(open_file(dir(), O_RDONLY).get()), 0);
  const std::string metrics = get(stats("metrics"));
  for (const char* line :
       {"tusk_fs_operation_errors{operation=\"mkdir\"} ",
        "tusk_fs_operation_seconds_count{operation=\"mkdir\"} ",
        "# TYPE tusk_fs_operation_seconds summary\n",
        "tusk_fs_operation_seconds{operation=\"mkdir\",quantile=\"0.99\"} ",
        "tusk_fs_operation_seconds_sum{operation=\"mkdir\"} ",
        "tusk_fs_operation_wait_seconds_count{operation=\"fsyncdir\",for=\"database\"} ",
        "\ntusk_fs_wal_bytes "})
    EXPECT_NE(metrics.find(line), std::string::npos) << line << metrics;
  if (run({"sh", "-c", "command -v promtool"}).status != 0) GTEST_SKIP() << "there is no promtool";
  const Finished checked =
      run({"sh", "-c", "promtool check metrics < " + stats("metrics").string()});
  EXPECT_EQ(checked.status, 0) << checked.out << checked.err;
}

}  // namespace
}  // namespace tusk::test
