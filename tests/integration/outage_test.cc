// The database goes away under a live mount, and comes back.
#include <signal.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <thread>

#include "support/fs_fixture.h"
#include "support/fs_server.h"
#include "support/fs_sql.h"

namespace tusk::test {
namespace {

// Appends numbered lines, a file each `files` lines, until the end of the script.
std::string numbered_lines(int lines) {
  std::string text;
  for (int i = 0; i < lines; i++) text += "line " + std::to_string(i) + "\n";
  return text;
}

class OutageTest : public OwnMountTest {
 protected:
  void bring_up(const std::string& db_timeout = "60") {
    server_ = std::make_unique<Server>();
    MountSetup setup;
    setup.database = server_->conninfo();
    setup.args = {"--db-timeout=" + db_timeout};
    mount_ = std::make_unique<Mount>(setup);
  }
  // Everything is committed, the invariants hold; what an outage makes the driver say is expected.
  void TearDown() override {
    if (!mount_) return;
    server_->start();
    expect_sound(*mount_,
                 {"connect", "database", "server", "committed", "terminat", "changed by others"});
  }
  Path at(const std::string& name) const { return mount_->path() / name; }
  static int sync(const Path& path) { return errno_of(::fsync(open_file(path, O_RDONLY).get())); }
  std::string presence() const {
    return nlohmann::json::parse(
        run_ok({TUSKFS_BINARY, "status", mount_->path().string(), "--json"}))[0]["presence"];
  }
  std::string stored(const std::string& path) {
    return Sql(server_->conninfo())
        .value("select convert_from(tusk.content(tusk.resolve($1)), 'UTF8')", {path});
  }
  std::unique_ptr<Server> server_;
  std::unique_ptr<Mount> mount_;
};

TEST_F(OutageTest, cached_reads_and_stats_go_on_without_the_server) {
  bring_up();
  put(at("file"), "cached");
  make_folder(at("folder"));
  ASSERT_EQ(sync(mount_->path()), 0);
  server_->kill9();
  for (int i = 0; i < 10; i++) {
    EXPECT_EQ(get(at("file")), "cached");
    EXPECT_EQ(stat_of(at("file")).st_size, 6);
    EXPECT_EQ(names_in(mount_->path()), (std::vector<std::string>{"file", "folder"}));
    EXPECT_FALSE(present(at("absent" + std::to_string(i))));
  }
}

TEST_F(OutageTest, changes_made_meanwhile_are_committed_when_it_is_back) {
  bring_up();
  put(at("old"), "old");
  ASSERT_EQ(sync(mount_->path()), 0);
  for (const bool hard : {false, true}) {
    // A mount that has just come back does not know yet that no other has.
    ASSERT_TRUE(eventually([&] { return presence() == "alone"; }));
    hard ? server_->kill9() : server_->stop();
    const std::string name = hard ? "killed" : "stopped";
    put(at(name), "made while it was " + name);
    ASSERT_EQ(::rename(at("old").c_str(), at("moved").c_str()), 0);
    ASSERT_EQ(::rename(at("moved").c_str(), at("old").c_str()), 0);
    Child sync_child({"sync", mount_->path()});
    EXPECT_FALSE(eventually([&] { return !sync_child.running(); }, std::chrono::milliseconds(500)));
    server_->start();
    EXPECT_TRUE(sync_child.wait(std::chrono::seconds(60)).ok());
    EXPECT_EQ(stored("/" + name), "made while it was " + name);
  }
  EXPECT_EQ(Sql(server_->conninfo()).number("select count(*) from tusk.files"), 3);
}

TEST_F(OutageTest, a_log_written_through_kills_has_every_line_once) {
  bring_up();
  constexpr int kLines = 3000;
  Child writer({"sh", "-c",
                "i=0; while [ $i -lt " + std::to_string(kLines) + " ]; do echo line $i >> '" +
                    at("log").string() + "'; i=$((i+1)); [ $((i % 100)) = 0 ] && sync '" +
                    at("log").string() + "'; done; true"});
  for (int round = 0; round < 3; round++) {
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    server_->kill9();
    server_->start();
  }
  EXPECT_TRUE(writer.wait(std::chrono::seconds(120)).ok()) << writer.err_so_far();
  EXPECT_TRUE(get(at("log")) == numbered_lines(kLines));
  ASSERT_EQ(sync(at("log")), 0);
  EXPECT_TRUE(stored("/log") == numbered_lines(kLines));
}

TEST_F(OutageTest, connections_cut_again_and_again_lose_and_double_nothing) {
  bring_up();
  Child writer({"sh", "-c",
                "i=0; while [ $i -lt 1000 ]; do echo $i > '" + mount_->path().string() +
                    "'/f$i; i=$((i+1)); [ $((i % 50)) = 0 ] && sync '" + mount_->path().string() +
                    "'; done; true"});
  Sql sql(server_->conninfo());
  for (int round = 0; round < 20; round++) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    sql.rows(
        "select pg_terminate_backend(pid) from pg_stat_activity where application_name = "
        "'tuskfs'");
  }
  EXPECT_TRUE(writer.wait(std::chrono::seconds(120)).ok()) << writer.err_so_far();
  ASSERT_EQ(sync(mount_->path()), 0);
  EXPECT_EQ(sql.number("select count(*) from tusk.files"), 1000);
  EXPECT_EQ(sql.number("select count(*) from tusk.files where convert_from(data, 'UTF8') = "
                       "substr(filename, 2) || e'\\n'"),
            1000);
}

TEST_F(OutageTest, fsync_is_eio_after_the_timeout_and_works_again_later) {
  bring_up("2");
  put(at("file"), "first");
  ASSERT_EQ(sync(at("file")), 0);
  server_->stop();
  put(at("file"), "second");
  EXPECT_EQ(sync(at("file")), EIO);
  EXPECT_EQ(get(at("file")), "second");
  server_->start();
  EXPECT_TRUE(eventually([&] { return sync(at("file")) == 0; }));
  EXPECT_EQ(stored("/file"), "second");
}

TEST_F(OutageTest, a_read_that_needs_the_server_is_eio_after_the_timeout) {
  bring_up("2");
  put(at("file"), "content");
  mount_->remount();
  server_->stop();
  EXPECT_EQ(errno_of_open(at("file"), O_RDONLY), EIO);
  server_->start();
  EXPECT_TRUE(eventually([&] { return errno_of_open(at("file"), O_RDONLY) == 0; }));
  EXPECT_EQ(get(at("file")), "content");
}

TEST_F(OutageTest, a_read_waits_for_the_server_within_the_timeout) {
  bring_up();
  const std::string bytes = pattern(5'000'000);
  put(at("file"), bytes);
  mount_->remount();
  ASSERT_EQ(stat_of(at("file")).st_size, 5'000'000);
  const Path expected = mount_->folder() / "expected";
  put(expected, bytes);
  server_->kill9();
  Child reader({"cmp", at("file"), expected});
  EXPECT_FALSE(eventually([&] { return !reader.running(); }, std::chrono::seconds(1)));
  server_->start();
  EXPECT_TRUE(reader.wait(std::chrono::seconds(60)).ok()) << reader.err_so_far();
}

TEST_F(OutageTest, an_unmount_that_cannot_commit_says_so_and_fails) {
  bring_up("2");
  put(at("file"), "never stored");
  server_->stop();
  put(at("file2"), "never stored");
  EXPECT_EQ(mount_->unmount().status, 1);
  EXPECT_FALSE(undeclared_complaints(mount_->log(), 0, {}).empty());
}

class EmbeddedOutageTest : public OwnMountTest {};

TEST_F(EmbeddedOutageTest, the_private_server_comes_back_by_itself) {
  Mount mount;
  put(mount.path() / "before", "x");
  ASSERT_EQ(::fsync(open_file(mount.path(), O_RDONLY).get()), 0);
  const pid_t postmaster =
      static_cast<pid_t>(std::stol(get(mount.data_dir() / "cluster" / "postmaster.pid")));
  ASSERT_EQ(::kill(postmaster, SIGKILL), 0);
  put(mount.path() / "after", "y");
  EXPECT_EQ(::fsync(open_file(mount.path() / "after", O_RDONLY).get()), 0);
  EXPECT_EQ(get(mount.path() / "before"), "x");
  expect_sound(mount,
               {"connect", "database", "server", "committed", "terminat", "changed by others"});
}

// Without a connection nothing keeps SQL clients out. What they commit stays; what the mount has of
// the same file is not stored, and that is told; everything else goes on.
TEST_F(OutageTest, a_client_that_wrote_while_the_mount_was_cut_off_keeps_what_it_wrote) {
  bring_up();
  put(at("both"), "before");
  put(at("theirs"), "before");
  put(at("ours"), "before");
  ASSERT_EQ(sync(mount_->path()), 0);
  Fd both = open_file(at("both"), O_WRONLY), ours = open_file(at("ours"), O_WRONLY);
  write_at(both.get(), "by the mount", 0);
  write_at(ours.get(), "by the mount", 0);
  Sql client(server_->conninfo());
  client.run("begin");
  client.run(
      "select pg_terminate_backend(pid) from pg_stat_activity "
      "where application_name = 'tuskfs' and pid <> pg_backend_pid()");
  client.run(
      "update tusk.files set data = 'by SQL', size_bytes = 6, checksum = null, "
      "version = version + 1 where filename in ('both', 'theirs')");
  client.run("commit");
  EXPECT_EQ(errno_of(::fsync(ours.get())), 0);
  EXPECT_TRUE(eventually([&] { return get(at("theirs")) == "by SQL"; }));
  EXPECT_EQ(errno_of(::fsync(both.get())), EIO);
  EXPECT_EQ(stored("/both"), "by SQL");
  EXPECT_EQ(stored("/theirs"), "by SQL");
  EXPECT_EQ(stored("/ours"), "by the mount");
  EXPECT_NE(mount_->log().find("was changed by others"), std::string::npos);
  both = Fd();
  ours = Fd();
  mount_->remount();
  EXPECT_EQ(get(at("both")), "by SQL");
}

// A mount that writes nothing would not notice by itself that it holds the delegation no more.
TEST_F(OutageTest, what_clients_write_after_a_restart_shows_in_an_idle_mount) {
  bring_up();
  put(at("old"), "x");
  ASSERT_EQ(sync(mount_->path()), 0);
  EXPECT_FALSE(present(at("new")));
  server_->stop();
  server_->start();
  Sql(server_->conninfo())
      .run(
          "insert into tusk.files (tenant_id, filename, data) select id, 'new', 'y' from "
          "tusk.tenants");
  EXPECT_TRUE(eventually([&] { return present(at("new")); }));
  EXPECT_EQ(names_in(mount_->path()), (std::vector<std::string>{"new", "old"}));
}

}  // namespace
}  // namespace tusk::test
