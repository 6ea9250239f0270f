// Alerts about the trees of a database and the disk they are on, and the embedded cluster below a
// sidecar.
#include <gtest/gtest.h>
#include <signal.h>

#include <nlohmann/json.hpp>

#include "support/fs_calls.h"
#include "support/fs_sql.h"
#include "support/sidecar_mount.h"
#include "support/small_disk.h"
#include "support/store_backends.h"

namespace tusk::test {
namespace {

using Json = nlohmann::json;

constexpr std::uint64_t kMiB = 1 << 20;
const std::vector<std::string> kQuick = {"--alerts-every", "100"};

bool opens(const SidecarMount& mount, const std::string& name, const char* severity) {
  return eventually([&] {
    const auto alert = open_alert(mount, name);
    return !alert.is_null() && alert.at("severity") == severity;
  });
}
bool clears(const SidecarMount& mount, const std::string& name) {
  return eventually([&] { return open_alert(mount, name).is_null(); });
}
std::string message_of(const SidecarMount& mount, const std::string& name) {
  const auto alert = open_alert(mount, name);
  return alert.is_null() ? "none" : alert.at("message").get<std::string>();
}

class TreeAlerts : public ::testing::Test {
 protected:
  const std::string database_ = new_database();
  Sql sql_{database_};
  TempFolder temp_;
};

TEST_F(TreeAlerts, a_large_file_in_the_database_is_told_and_clears) {
  MountSetup setup;
  setup.database = database_;
  Mount tree(setup);
  const SidecarMount mount(database_, kQuick);
  put(tree.path() / "film", pattern(101 * kMiB));
  ASSERT_EQ(::fsync(open_file(tree.path(), O_RDONLY).get()), 0);
  ASSERT_TRUE(opens(mount, "large_file", "warning"));
  EXPECT_EQ(open_alert(mount, "large_file").at("value"), 101 * kMiB);
  EXPECT_TRUE(holds(message_of(mount, "large_file"), "/film of 101 MB is in the database"));
  std::filesystem::remove(tree.path() / "film");
  EXPECT_TRUE(clears(mount, "large_file"));
  EXPECT_EQ(tree.unmount().status, 0);
}

TEST_F(TreeAlerts, what_files_and_cache_take_is_in_usage_and_on_the_dashboard) {
  MountSetup setup;
  setup.database = database_;
  Mount tree(setup);
  const SidecarMount mount(database_, kQuick);
  EXPECT_TRUE(
      eventually([&] { return holds(get(mount.stats("dashboard")), "Files and cache\n"); }));
  put(tree.path() / "a", pattern(1000));
  put(tree.path() / "b", pattern(500));
  ASSERT_EQ(::fsync(open_file(tree.path(), O_RDONLY).get()), 0);
  put(mount.path() / "cache/key", "12345");
  sql_.run("select tusk.set_quota('default', 3000)");
  const auto rows = [&] { return Json::parse(get(mount.stats("usage.json"))).at("rows"); };
  EXPECT_TRUE(eventually([&] {
    const auto now = rows();
    return now.size() == 2 && now[0]["kind"] == "tree" && now[0]["name"] == "default" &&
           now[0]["items"] == 2 && now[0]["bytes"] == 1500 && now[0]["limit_bytes"] == 3000 &&
           now[0]["pct"] == 50 && now[1]["kind"] == "cache" && now[1]["items"] == 1 &&
           now[1]["bytes"] == 5;
  })) << rows().dump(2);
  const std::string dashboard = get(mount.stats("dashboard"));
  EXPECT_TRUE(holds(dashboard, "tree   default      2  1500 bytes")) << dashboard;
  EXPECT_TRUE(holds(dashboard, "cache  cache        1  5 bytes")) << dashboard;
  EXPECT_EQ(tree.unmount().status, 0);
}

TEST_F(TreeAlerts, a_backup_that_is_late_is_told_and_one_that_is_made_clears_it) {
  sql_.run(
      "insert into tusk.tenants (name, root_id, created_at) "
      "values ('old', tusk.uuid_v7(), now() - interval '25 hours')");
  const SidecarMount mount(database_, kQuick);
  ASSERT_TRUE(opens(mount, "last_backup", "warning"));
  EXPECT_EQ(message_of(mount, "last_backup"), "there is no backup: tuskfs backup DIR");
  sql_.run("update tusk.tenants set created_at = now() - interval '8 days'");
  EXPECT_TRUE(opens(mount, "last_backup", "critical"));
  // One that failed is no backup.
  EXPECT_NE(run({TUSKFS_BINARY, "backup", database_, "/proc/nowhere"}).status, 0);
  EXPECT_EQ(sql_.value("select ok::text || (detail ? 'error')::text from tusk.backups"),
            "falsetrue");
  EXPECT_FALSE(open_alert(mount, "last_backup").is_null());
  const Path backups = temp_.path() / "backups";
  run_ok({TUSKFS_BINARY, "backup", database_, backups});
  EXPECT_EQ(sql_.value("select location from tusk.backups where ok and bytes > 0 and kind = "
                       "'tuskfs' and started_at <= finished_at"),
            backups / names_in(backups).at(0));
  EXPECT_TRUE(clears(mount, "last_backup"));
}

TEST_F(TreeAlerts, contents_that_fsck_misses_are_told_until_it_finds_them) {
  MountSetup setup;
  setup.database = database_;
  const Path objects = temp_.path() / "objects";
  setup.args = {"--objects", objects};
  Mount tree(setup);
  put(tree.path() / "film", pattern(12 * kMiB));
  EXPECT_EQ(tree.unmount().status, 0);
  Path object;
  for (const auto& each : std::filesystem::recursive_directory_iterator(objects))
    if (each.is_regular_file() && each.file_size() >= 12 * kMiB) object = each.path();
  ASSERT_FALSE(object.empty());
  const SidecarMount mount(database_, kQuick);
  EXPECT_EQ(run({TUSKFS_BINARY, "fsck", database_}).status, 0);
  EXPECT_TRUE(open_alert(mount, "fsck_missing").is_null());
  std::filesystem::rename(object, temp_.path() / "away");
  EXPECT_EQ(run({TUSKFS_BINARY, "fsck", database_}).status, 4);
  ASSERT_TRUE(opens(mount, "fsck_missing", "critical"));
  EXPECT_TRUE(holds(message_of(mount, "fsck_missing"), "1 contents are not there"));
  std::filesystem::rename(temp_.path() / "away", object);
  EXPECT_EQ(run({TUSKFS_BINARY, "fsck", database_}).status, 0);
  EXPECT_TRUE(clears(mount, "fsck_missing"));
  EXPECT_EQ(sql_.value("select string_agg(missing::text, ',' order by id) from tusk.checkups"),
            "0,1,0");
}

// The same texts as a function, with the rights of who installed it.
TEST_F(TreeAlerts, the_function_for_cron_tells_of_trees_too) {
  run_ok({TUSKFS_BINARY, "sidecar", "--install", database_});
  sql_.run(
      "update tusk.tenants set created_at = now() - interval '25 hours';"
      "insert into tusk.tenants (name, root_id, created_at) "
      "values ('old', tusk.uuid_v7(), now() - interval '25 hours')");
  const auto check = [&] {
    return sql_.value(
        "select coalesce(string_agg(line, ','), '') from tusk_stats.alerts_check() line "
        "where line like '%last_backup%'");
  };
  EXPECT_EQ(check(), "");
  EXPECT_EQ(check(), "raise warning last_backup there is no backup: tuskfs backup DIR");
  sql_.run("select tusk.record_backup('pgbackrest', 's3://there', null, null, now(), true)");
  for (int i = 0; i < 2; i++) EXPECT_EQ(check(), "");
  EXPECT_TRUE(check().starts_with("clear warning last_backup"));
}

TEST(DiskAlert, a_disk_that_fills_is_told_and_clears) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to make a small disk";
  SmallDisk disk;
  const Server server(ServerSetup{disk.data(), {}});
  const SidecarMount mount(server.conninfo(), kQuick);
  EXPECT_TRUE(open_alert(mount, "disk").is_null());
  disk.leave_free(20 * kMiB);
  ASSERT_TRUE(opens(mount, "disk", "warning")) << get(mount.stats("alerts"));
  EXPECT_TRUE(holds(message_of(mount, "disk"), "the disk of " + disk.data().string() + " is 92"))
      << message_of(mount, "disk");
  disk.leave_free(4 * kMiB);
  EXPECT_TRUE(opens(mount, "disk", "critical"));
  disk.make_room();
  EXPECT_TRUE(clears(mount, "disk"));
}

class EmbeddedSidecar : public ::testing::Test {
 protected:
  ~EmbeddedSidecar() override { stop_embedded(data_); }
  void kill_server() const {
    const auto postmaster = static_cast<pid_t>(std::stol(get(data_ / "cluster/postmaster.pid")));
    ASSERT_EQ(::kill(postmaster, SIGKILL), 0);
  }

  TempFolder temp_;
  const Path data_ = temp_.path() / "data";
};

TEST_F(EmbeddedSidecar, a_server_that_dies_is_started_again) {
  const SidecarMount mount("", {"--data-dir", data_});
  EXPECT_TRUE(eventually([&] { return get(mount.stats("score")) == "100\n"; }));
  kill_server();
  EXPECT_TRUE(eventually([&] { return get(mount.stats("score")) == "100\n"; }))
      << get(mount.stats("health"));
  kill_server();
  // By the cache too, which has a connection of its own.
  EXPECT_TRUE(eventually([&] {
    const Fd fd(::open((mount.path() / "cache/key").c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644));
    return fd && ::write(fd.get(), "value", 5) == 5 && ::fsync(fd.get()) == 0;
  }));
  EXPECT_EQ(get(mount.path() / "cache/key"), "value");
}

}  // namespace
}  // namespace tusk::test
