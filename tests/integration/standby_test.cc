// mount --read-only-standby: the tree as a hot standby has it.
#include <sys/xattr.h>

#include <atomic>
#include <set>
#include <thread>

#include "support/fs_fixture.h"
#include "support/fs_server.h"
#include "support/fs_sql.h"

namespace tusk::test {
namespace {

using namespace std::chrono_literals;

class StandbyTest : public OwnMountTest {
 protected:
  // A mount that writes at the primary, and one that reads at its standby.
  void bring_up(std::vector<std::string> settings = {}) {
    primary_ = std::make_unique<Server>();
    standby_ = std::make_unique<Server>(
        ServerSetup{.data = {}, .settings = std::move(settings), .primary = primary_.get()});
    writing_ = std::make_unique<Mount>(MountSetup{.database = primary_->conninfo()});
    ASSERT_TRUE(eventually([&] {
      try {
        reading_ = std::make_unique<Mount>(
            MountSetup{.args = {"--read-only-standby"}, .database = standby_->conninfo()});
        return true;
      } catch (const std::exception& e) {
        return std::string_view(e.what()).find("no tree") == std::string_view::npos;
      }
    }));
    ASSERT_TRUE(reading_);
  }
  void TearDown() override {
    if (reading_) {
      EXPECT_EQ(reading_->unmount().status, 0);
      EXPECT_EQ(undeclared_complaints(reading_->log(), 0, {}), std::vector<std::string>());
    }
    if (writing_) expect_sound(*writing_, {"connect", "database", "server"});
  }
  Path there(const std::string& name) const { return writing_->path() / name; }
  Path here(const std::string& name) const { return reading_->path() / name; }
  void sync_there() const {
    ASSERT_EQ(errno_of(::fsync(open_file(writing_->path(), O_RDONLY).get())), 0);
  }

  std::unique_ptr<Server> primary_, standby_;
  std::unique_ptr<Mount> writing_, reading_;
};

TEST_F(StandbyTest, what_the_primary_commits_shows_and_nothing_can_be_written) {
  bring_up();
  put(there("file"), "one", 0640);
  make_folder(there("folder"));
  put(there("folder/big"), pattern(3'000'000));
  ASSERT_EQ(::symlink("file", there("link").c_str()), 0);
  ASSERT_EQ(::link(there("file").c_str(), there("folder/second").c_str()), 0);
  ASSERT_EQ(::setxattr(there("file").c_str(), "user.a", "b", 1, 0), 0);
  sync_there();
  ASSERT_TRUE(eventually([&] { return present(here("folder/second")); }));
  EXPECT_TRUE(eventually([&] {
    return names_in(reading_->path()) == (std::vector<std::string>{"file", "folder", "link"});
  }));
  EXPECT_EQ(get(here("link")), "one");
  EXPECT_EQ(permissions_of(here("file")), 0640u);
  EXPECT_EQ(stat_of(here("file")).st_nlink, 2u);
  EXPECT_EQ(stat_of(here("file")).st_ino, stat_of(here("folder/second")).st_ino);
  EXPECT_EQ(times_of(here("file")).mtime, times_of(there("file")).mtime);
  EXPECT_TRUE(eventually(
      [&] { return stat_of(reading_->path()).st_nlink == stat_of(writing_->path()).st_nlink; }));
  EXPECT_TRUE(get(here("folder/big")) == pattern(3'000'000));
  char value[8];
  EXPECT_EQ(::getxattr(here("file").c_str(), "user.a", value, sizeof value), 1);

  EXPECT_EQ(errno_of_open(here("new"), O_WRONLY | O_CREAT), EROFS);
  EXPECT_EQ(errno_of_open(here("file"), O_WRONLY), EROFS);
  EXPECT_EQ(errno_of(::unlink(here("file").c_str())), EROFS);
  EXPECT_EQ(errno_of(::mkdir(here("d").c_str(), 0755)), EROFS);
  EXPECT_EQ(errno_of(::chmod(here("file").c_str(), 0600)), EROFS);

  put(there("file"), "two, which is longer");
  ASSERT_EQ(::rename(there("folder/big").c_str(), there("moved").c_str()), 0);
  ASSERT_EQ(::unlink(there("link").c_str()), 0);
  ASSERT_EQ(::chmod(there("folder").c_str(), 0700), 0);
  sync_there();
  EXPECT_TRUE(eventually([&] { return get(here("file")) == "two, which is longer"; }));
  EXPECT_TRUE(eventually([&] { return present(here("moved")) && !present(here("folder/big")); }));
  EXPECT_TRUE(eventually([&] { return permissions_of(here("folder")) == 0700u; }));
  EXPECT_FALSE(present(here("link")));
  EXPECT_EQ(names_in(reading_->path()), (std::vector<std::string>{"file", "folder", "moved"}));
}

// Never half of one version and half of another, and never an error for who reads by name.
TEST_F(StandbyTest, a_file_that_is_replaced_all_the_time_is_read_whole) {
  bring_up();
  const auto text = [](int i) { return std::string(200'000, static_cast<char>('a' + i % 26)); };
  put(there("file"), text(0));
  sync_there();
  ASSERT_TRUE(eventually([&] { return present(here("file")); }));
  std::jthread writer([&](const std::stop_token& stop) {
    for (int i = 1; !stop.stop_requested(); i++) {
      put(there("file"), text(i));
      ::fsync(open_file(there("file"), O_RDONLY).get());
    }
  });
  std::set<char> seen;
  const auto end = std::chrono::steady_clock::now() + 2s;
  while (std::chrono::steady_clock::now() < end) {
    const std::string got = get(here("file"));
    ASSERT_EQ(got.size(), 200'000u);
    ASSERT_EQ(got.find_first_not_of(got[0]), std::string::npos) << "torn";
    seen.insert(got[0]);
  }
  EXPECT_GT(seen.size(), 1u) << "nothing new was ever seen";
}

// A standby cancels queries that stand in the way of what it replays; whoever reads does not
// notice.
TEST_F(StandbyTest, queries_that_the_standby_cancels_are_asked_again) {
  bring_up({"max_standby_streaming_delay=0"});
  put(there("file"), "content");
  sync_there();
  ASSERT_TRUE(eventually([&] { return present(here("file")); }));
  std::atomic<bool> done = false;
  std::jthread replaying([&] {
    Sql locker(primary_->conninfo());
    while (!done) locker.run("begin; lock table tusk.files in access exclusive mode; commit");
  });
  const auto end = std::chrono::steady_clock::now() + 1s;
  int reads = 0;
  while (std::chrono::steady_clock::now() < end) {
    EXPECT_EQ(get(here("file")), "content");
    EXPECT_FALSE(present(here("absent" + std::to_string(reads++))));
  }
  done = true;
  replaying.join();
  Sql standby(standby_->conninfo());
  EXPECT_TRUE(eventually([&] {
    return standby.number(
               "select sum(confl_lock + confl_snapshot) from "
               "pg_stat_database_conflicts") > 0;
  })) << "nothing was cancelled: the test shows nothing";
}

TEST_F(StandbyTest, goes_on_reading_when_the_standby_is_promoted_and_when_it_restarts) {
  bring_up();
  put(there("file"), "content");
  sync_there();
  ASSERT_TRUE(eventually([&] { return present(here("file")); }));
  standby_->kill9_all();
  Child reader({"cat", here("file")});
  EXPECT_FALSE(eventually([&] { return !reader.running(); }, 500ms));
  standby_->start();
  EXPECT_EQ(reader.wait(60s).out, "content");
  standby_->promote();
  Sql(standby_->conninfo())
      .run(
          "insert into tusk.files (tenant_id, filename, data) select id, 'later', 'y' from "
          "tusk.tenants");
  EXPECT_TRUE(eventually([&] { return present(here("later")); }));
}

TEST_F(StandbyTest, of_several_hosts_the_standby_is_read_and_the_primary_where_there_is_none) {
  bring_up();
  put(there("file"), "content");
  sync_there();
  MountSetup setup;
  setup.database = conninfo_of_both(*primary_, *standby_);
  setup.args = {"--read-only-standby"};
  Mount both(setup);
  constexpr const char* kReaders =
      "select count(*) from pg_stat_activity where application_name = 'tuskfs'";
  const std::int64_t at_standby = Sql(standby_->conninfo()).number(kReaders);
  ASSERT_TRUE(eventually([&] { return present(both.path() / "file"); }));
  EXPECT_GE(Sql(standby_->conninfo()).number(kReaders), std::max<std::int64_t>(at_standby, 1));
  reading_->unmount();
  reading_.reset();
  standby_->kill9_all();
  put(there("later"), "by the primary");
  sync_there();
  EXPECT_TRUE(eventually([&] { return present(both.path() / "later"); }));
  EXPECT_EQ(get(both.path() / "later"), "by the primary");
}

TEST(StandbyOptions, what_does_not_go_together_is_refused_with_what_to_do) {
  const TempFolder temp;
  const Path mountpoint = temp.path() / "mnt";
  make_folder(mountpoint);
  for (const char* other : {"--at=monday", "--migrate", "--sidecar", "--objects=/srv/objects"}) {
    const Finished refused = run({TUSKFS_BINARY, "mount", "-f", "--read-only-standby", other,
                                  "host=/nowhere dbname=files", mountpoint});
    EXPECT_EQ(refused.status, 1) << other;
    EXPECT_NE(refused.err.find("standby"), std::string::npos) << refused.err;
    EXPECT_EQ(refused.err.find("nowhere"), std::string::npos) << refused.err;
  }
}

TEST_F(StandbyTest, a_moment_of_the_past_can_be_mounted_from_a_standby) {
  bring_up();
  put(there("file"), "content");
  sync_there();
  make_folder(there(".tusk/snapshots/then"));
  put(there("later"), "x");
  sync_there();
  ASSERT_TRUE(eventually([&] { return present(here("later")); }));
  Mount past(MountSetup{.args = {"--at", "then"}, .database = standby_->conninfo()});
  EXPECT_EQ(names_in(past.path()), std::vector<std::string>{"file"});
}

}  // namespace
}  // namespace tusk::test
