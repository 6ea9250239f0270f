// A backup, or a garbage collection, dies at each of its steps. What bears a backup's name is
// whole, nothing lacks a part of it, and the next one finishes.
#include <filesystem>
#include <nlohmann/json.hpp>

#include "support/fs_fixture.h"
#include "support/fs_sql.h"

namespace tusk::test {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

class UpkeepStepsTest : public OwnMountTest {
 protected:
  void SetUp() override {
    OwnMountTest::SetUp();
    if (IsSkipped()) return;
    if (run({"strace", "-qq", "-o", "/dev/null", "true"}).status != 0)
      GTEST_SKIP() << "processes cannot be traced here";
    mount_ = std::make_unique<Mount>();
  }
  void TearDown() override {
    if (mount_) expect_sound(*mount_);
  }
  Path at(const std::string& name) const { return mount_->path() / name; }
  void settle() { ASSERT_EQ(::fsync(open_file(mount_->path(), O_RDONLY).get()), 0); }

  // The program dies as it enters the system call for the `when`th time; true when it came to an
  // end before that.
  static bool survives(const std::string& call, int when, std::vector<std::string> args) {
    std::vector<std::string> traced = {
        "strace",     "-qq",
        "-o",         "/dev/null",
        "-e",         "trace=" + call,
        "-e",         "inject=" + call + ":signal=SIGKILL:when=" + std::to_string(when),
        TUSKFS_BINARY};
    traced.insert(traced.end(), args.begin(), args.end());
    return run(traced).status == 0;
  }
  void expect_clean(const std::string& step) {
    const Finished found = run({TUSKFS_BINARY, "fsck", "--scrub", "--data-dir", data()});
    EXPECT_EQ(found.status, 0) << step << ": " << found.out << found.err;
  }
  std::string data() const { return mount_->data_dir().string(); }

  TempFolder temp_;
  std::unique_ptr<Mount> mount_;
};

TEST_F(UpkeepStepsTest, of_a_backup_leave_whole_backups_only) {
  const std::string backups = temp_.path() / "backups";
  put(at("small"), "small");
  for (const char* name : {"a", "b", "c"}) put(at(name), pattern(11'000'000));
  settle();
  const auto count = [&] {
    return Json::parse(run_ok({TUSKFS_BINARY, "backup", "--list", "--json", backups})).size();
  };
  run_ok({TUSKFS_BINARY, "backup", "--data-dir", data(), backups});
  std::size_t made = 1;
  for (const std::string call : {"mkdir", "link", "linkat", "fsync", "rename", "renameat2"}) {
    constexpr int kMostSteps = 200;
    int when = 1;
    for (; when < kMostSteps; when += when < 6 ? 1 : 5) {
      const std::string step = call + " " + std::to_string(when);
      if (survives(call, when, {"backup", "--data-dir", data(), backups})) break;
      EXPECT_GE(count(), made) << step;
      EXPECT_LE(count(), made + 1) << step << ": dead after it had its name, at the latest";
      made = count();
    }
    EXPECT_LT(when, kMostSteps) << call;
    EXPECT_EQ(count(), ++made) << call;
  }
  run_ok({TUSKFS_BINARY, "backup", "--verify", backups});
  run_ok({TUSKFS_BINARY, "backup", "--prune", "1", backups});
  run_ok({TUSKFS_BINARY, "backup", "--data-dir", data(), backups});
  EXPECT_EQ(std::distance(fs::directory_iterator(backups), fs::directory_iterator()), 2)
      << "what the killed ones left is gone";
  run_ok({TUSKFS_BINARY, "backup", "--verify", backups});
}

TEST_F(UpkeepStepsTest, of_a_purge_leave_nothing_in_part) {
  run_ok({TUSKFS_BINARY, "policy", "set", mount_->path().string(), "version_interval=0"});
  fs::create_directory(at("dir"));
  const auto fill = [&] {
    for (int i = 0; i < 40; i++) put(at("dir/" + std::to_string(i)), pattern(i * 4000));
    put(at("dir/large"), pattern(11'000'000));
    settle();
    for (int i = 0; i < 40; i++) put(at("dir/" + std::to_string(i)), pattern(i * 4000, 2));
    settle();
    run_ok({"rm", "-r", at("dir").string()});
    fs::create_directory(at("dir"));
    settle();
    Sql(mount_->dsn())
        .run(
            "update tusk.files set deleted_at = deleted_at - interval '31 days' "
            "where deleted_at is not null;"
            "update tusk.folders set deleted_at = deleted_at - interval '31 days' "
            "where deleted_at is not null");
  };
  const std::vector<std::string> gc = {"gc", "--object-grace", "0", mount_->path().string()};
  fill();
  constexpr int kMostSteps = 200;
  int when = 1;
  while (when < kMostSteps && !survives("sendto", when, gc)) {
    const std::string step = "statement " + std::to_string(when++);
    expect_clean(step);
    if (Sql(mount_->dsn()).value("select count(*)::text from tusk.trash") == "0") fill();
  }
  EXPECT_GT(when, 3);
  EXPECT_LT(when, kMostSteps);
  expect_clean("all");
  run_ok({TUSKFS_BINARY, gc[0], gc[1], gc[2], gc[3]});
  Sql sql(mount_->dsn());
  EXPECT_EQ(sql.value("select count(*)::text from tusk.trash"), "0");
  EXPECT_EQ(sql.value("select count(*)::text from tusk.file_chunks"), "0");
  EXPECT_EQ(sql.value("select count(*)::text from tusk.objects"), "0");
}

}  // namespace
}  // namespace tusk::test
