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
  EXPECT_GE(facts("delegation").at("delegations_lent"), 1);
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
  const std::string metrics = get(stats("metrics"));
  for (const char* line : {"tusk_fs_operation_errors{operation=\"mkdir\"} ",
                           "tusk_fs_operation_seconds_count{operation=\"mkdir\"} ",
                           "# TYPE tusk_fs_operation_seconds summary\n",
                           "tusk_fs_operation_seconds{operation=\"mkdir\",quantile=\"0.99\"} ",
                           "tusk_fs_operation_seconds_sum{operation=\"mkdir\"} "})
    EXPECT_NE(metrics.find(line), std::string::npos) << line << metrics;
  if (run({"sh", "-c", "command -v promtool"}).status != 0) GTEST_SKIP() << "there is no promtool";
  const Finished checked =
      run({"sh", "-c", "promtool check metrics < " + stats("metrics").string()});
  EXPECT_EQ(checked.status, 0) << checked.out << checked.err;
}

}  // namespace
}  // namespace tusk::test
