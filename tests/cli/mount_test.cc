// Mounting and unmounting as a person does it: detached, by verbs, mount(8)'s helper and signals.
#include "support/mount.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mount.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "support/fs_server.h"
#include "support/process.h"
#include "tuskfs/base/fd.h"

namespace tusk::test {
namespace {

namespace fs = std::filesystem;

std::string content_of(const fs::path& path) {
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

class Detached : public ::testing::Test {
 protected:
  Detached() { fs::create_directory(mnt_); }
  ~Detached() override {
    run({"fusermount3", "-uz", mnt_});
    for (const auto& mount : {mnt_}) ::umount2(mount.c_str(), MNT_DETACH);
    stop_embedded(data_);
  }

  Finished tuskfs(std::vector<std::string> args) {
    args.insert(args.begin(), TUSKFS_BINARY);
    return run(args);
  }
  void mount(std::vector<std::string> further = {}) {
    std::vector<std::string> args = {"mount", "--data-dir", data_, "--log-file", log_, mnt_};
    args.insert(args.end(), further.begin(), further.end());
    const Finished finished = tuskfs(args);
    ASSERT_EQ(finished.status, 0) << finished.err << content_of(log_);
    ASSERT_EQ(finished.err, "");
    ASSERT_TRUE(is_mounted(mnt_));
  }
  void umount() {
    const Finished finished = tuskfs({"umount", mnt_});
    ASSERT_EQ(finished.status, 0) << finished.err;
    ASSERT_FALSE(is_mounted(mnt_));
  }
  nlohmann::json status() {
    const auto all = nlohmann::json::parse(tuskfs({"status", "--json", mnt_}).out);
    return all.at(0);
  }
  pid_t driver() { return status().at("pid").get<pid_t>(); }
  void write(const std::string& name, const std::string& text) {
    std::ofstream(mnt_ / name) << text;
  }
  bool server_runs() const { return fs::exists(data_ / ".s.PGSQL.5432"); }
  void await_end_of(pid_t pid) {
    ASSERT_TRUE(eventually([pid] { return ::kill(pid, 0) != 0; }, std::chrono::seconds(90)));
  }
  void expect_kept(const std::string& name, const std::string& text) {
    mount();
    EXPECT_EQ(content_of(mnt_ / name), text);
    umount();
  }

  TempFolder temp_;
  fs::path mnt_ = temp_.path() / "mnt", data_ = temp_.path() / "data", log_ = temp_.path() / "log";
};

TEST_F(Detached, mount_is_ready_when_the_command_returns) {
  mount();
  write("file", "text");
  EXPECT_EQ(content_of(mnt_ / "file"), "text");
  umount();
}

TEST_F(Detached, umount_has_committed_everything_and_stopped_the_server) {
  mount();
  write("file", "text");
  const pid_t pid = driver();
  umount();
  await_end_of(pid);  // at once, but for its parent's taking note
  EXPECT_FALSE(server_runs());
  expect_kept("file", "text");
}

TEST_F(Detached, plain_umount_flushes_too) {
  mount();
  write("file", "text");
  const pid_t pid = driver();
  run_ok({"umount", mnt_});
  await_end_of(pid);
  EXPECT_FALSE(server_runs());
  expect_kept("file", "text");
}

TEST_F(Detached, signals_flush_and_unmount) {
  for (const int signal : {SIGTERM, SIGINT}) {
    mount();
    write("file", std::to_string(signal));
    const pid_t pid = driver();
    ::kill(pid, signal);
    await_end_of(pid);
    EXPECT_FALSE(is_mounted(mnt_));
    EXPECT_FALSE(server_runs());
    expect_kept("file", std::to_string(signal));
  }
}

TEST_F(Detached, busy_mount_is_not_unmounted_and_the_user_is_named) {
  mount();
  const Fd open_folder(::open(mnt_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const Finished finished = tuskfs({"umount", mnt_});
  EXPECT_EQ(finished.status, 1);
  EXPECT_NE(finished.err.find("process " + std::to_string(::getpid())), std::string::npos)
      << finished.err;
  EXPECT_TRUE(is_mounted(mnt_));
}

TEST_F(Detached, mounting_twice_is_refused) {
  mount();
  const Finished finished = tuskfs({"mount", "--data-dir", data_, mnt_});
  EXPECT_EQ(finished.status, 1);
  EXPECT_NE(finished.err.find("already mounted"), std::string::npos) << finished.err;
  umount();
}

TEST_F(Detached, a_tree_is_mounted_twice_and_the_server_stops_with_the_last) {
  mount();
  const fs::path second = temp_.path() / "second";
  fs::create_directory(second);
  const Finished finished = tuskfs({"mount", "--data-dir", data_, second});
  ASSERT_EQ(finished.status, 0) << finished.err;
  write("file", "text");
  {
    std::ifstream file(second / "file");
    EXPECT_EQ(std::string(std::istreambuf_iterator<char>(file), {}), "text");
  }
  umount();
  EXPECT_TRUE(server_runs());
  EXPECT_EQ(tuskfs({"umount", second}).status, 0);
  EXPECT_FALSE(server_runs());
}

TEST_F(Detached, other_tenants_are_trees_of_their_own) {
  mount();
  const fs::path second = temp_.path() / "second";
  fs::create_directory(second);
  write("file", "text");
  const std::vector<std::string> mount_other = {"mount",    "--data-dir", data_,
                                                "--tenant", "other",      second};
  EXPECT_NE(tuskfs(mount_other).err.find("no tenant 'other'"), std::string::npos);
  std::string conninfo = run_ok({TUSKFS_BINARY, "dsn", "--data-dir", data_});
  conninfo.pop_back();
  run_ok({"psql", conninfo, "-qc",
          "insert into tusk.tenants (name, root_id) values ('other', tusk.uuid_v7())"});
  const Finished other = tuskfs(mount_other);
  ASSERT_EQ(other.status, 0) << other.err;
  EXPECT_FALSE(fs::exists(second / "file"));
  umount();
  EXPECT_TRUE(server_runs());
  EXPECT_EQ(tuskfs({"umount", second}).status, 0);
  EXPECT_FALSE(server_runs());
}

TEST_F(Detached, dead_mount_is_taken_away_by_the_next) {
  mount();
  const pid_t pid = driver();
  ::kill(pid, SIGKILL);
  await_end_of(pid);
  EXPECT_TRUE(is_mounted(mnt_));
  mount();
  umount();
}

TEST_F(Detached, umount_of_a_dead_mount_says_so) {
  mount();
  const pid_t pid = driver();
  ::kill(pid, SIGKILL);
  await_end_of(pid);
  const Finished finished = tuskfs({"umount", mnt_});
  EXPECT_EQ(finished.status, 1);
  EXPECT_NE(finished.err.find("had died"), std::string::npos) << finished.err;
  EXPECT_FALSE(is_mounted(mnt_));
}

TEST_F(Detached, status_tells_what_is_mounted) {
  mount();
  const auto told = status();
  EXPECT_EQ(told.at("mountpoint"), mnt_.string());
  EXPECT_EQ(told.at("data_dir"), data_.string());
  EXPECT_EQ(told.at("tenant"), "default");
  EXPECT_EQ(told.at("connected"), true);
  EXPECT_GE(told.at("schema_version").get<int>(), 1);
  EXPECT_EQ(told.at("dirty_bytes"), 0);
  const Finished text = tuskfs({"status", mnt_});
  EXPECT_NE(text.out.find("dirty bytes     0\n"), std::string::npos) << text.out;
  umount();
}

TEST_F(Detached, status_does_not_hang_on_a_driver_that_does) {
  mount();
  const pid_t pid = driver();
  ::kill(pid, SIGSTOP);
  const auto told = status();
  EXPECT_EQ(told.at("problem"), "its driver does not answer");
  ::kill(pid, SIGCONT);
  umount();
}

TEST_F(Detached, status_counts_dirty_bytes_and_the_last_commit) {
  mount();
  write("file", "text");
  ASSERT_TRUE(eventually([&] { return !status().at("last_commit").get<std::string>().empty(); }));
  EXPECT_TRUE(eventually([&] { return status().at("dirty_bytes") == 0; }));
  umount();
}

TEST_F(Detached, killed_server_is_started_again_under_a_live_mount) {
  mount();
  write("before", "text");
  pid_t server = 0;
  std::ifstream(data_ / "cluster" / "postmaster.pid") >> server;
  ::kill(server, SIGKILL);
  write("after", "text");
  run_ok({"sync", mnt_ / "after"});
  EXPECT_EQ(status().at("connected"), true);
  umount();
  expect_kept("after", "text");
}

TEST_F(Detached, umount_refuses_what_cannot_be_committed) {
  const std::unique_ptr<Server> server = std::make_unique<Server>();
  const Finished mounted =
      tuskfs({"mount", server->conninfo(), "--db-timeout", "1", "--log-file", log_, mnt_});
  ASSERT_EQ(mounted.status, 0) << mounted.err;
  write("first", "text");
  run_ok({"sync", mnt_ / "first"});
  server->stop();
  write("file", "text");
  const Finished refused = tuskfs({"umount", mnt_});
  EXPECT_EQ(refused.status, 1);
  EXPECT_NE(refused.err.find("stays mounted"), std::string::npos) << refused.err;
  EXPECT_TRUE(is_mounted(mnt_));
  server->start();
  ASSERT_TRUE(eventually([&] { return tuskfs({"umount", mnt_}).status == 0; }));
  EXPECT_FALSE(is_mounted(mnt_));
}

TEST_F(Detached, driver_that_cannot_commit_in_time_says_so_in_its_log) {
  const std::unique_ptr<Server> server = std::make_unique<Server>();
  const Finished mounted =
      tuskfs({"mount", server->conninfo(), "--db-timeout", "1", "--log-file", log_, mnt_});
  ASSERT_EQ(mounted.status, 0) << mounted.err;
  const pid_t pid = driver();
  write("first", "text");
  run_ok({"sync", mnt_ / "first"});
  server->stop();
  write("file", "text");
  ::kill(pid, SIGTERM);
  await_end_of(pid);
  EXPECT_FALSE(is_mounted(mnt_));
  EXPECT_NE(content_of(log_).find("not committed"), std::string::npos) << content_of(log_);
}

TEST_F(Detached, read_only_mount_refuses_writes) {
  mount();
  write("file", "text");
  umount();
  mount({"-o", "ro"});
  EXPECT_EQ(content_of(mnt_ / "file"), "text");
  EXPECT_EQ(::open((mnt_ / "new").c_str(), O_WRONLY | O_CREAT, 0600), -1);
  EXPECT_EQ(errno, EROFS);
  umount();
}

TEST_F(Detached, mount_helper_mounts_as_mount8_calls_it) {
  const fs::path helper = temp_.path() / "mount.fuse.tuskfs";
  fs::create_symlink(TUSKFS_BINARY, helper);
  const Finished finished = run(
      {helper, "embedded", mnt_, "-t", "fuse.tuskfs", "-o",
       "rw,nofail,x-systemd.automount,data_dir=" + data_.string() + ",log_file=" + log_.string()});
  ASSERT_EQ(finished.status, 0) << finished.err;
  write("file", "text");
  EXPECT_EQ(run_ok({"findmnt", "-no", "SOURCE,FSTYPE", mnt_}).substr(0, 20),
            "embedded fuse.tuskfs");
  umount();
}

TEST_F(Detached, mount_helper_refuses_an_unknown_option_by_name) {
  const fs::path helper = temp_.path() / "mount.fuse.tuskfs";
  fs::create_symlink(TUSKFS_BINARY, helper);
  const Finished finished = run({helper, "embedded", mnt_, "-o", "rw,frobnicate=1"});
  EXPECT_EQ(finished.status, 2);
  EXPECT_NE(finished.err.find("'frobnicate'"), std::string::npos) << finished.err;
}

TEST_F(Detached, ordinary_user_mounts_and_unmounts) {
  if (::geteuid() != 0) GTEST_SKIP() << "the other tests ran as one";
  const TempFolder theirs(ordinary_user());
  const Spawn as_them = {.user = ordinary_user()};
  const fs::path mnt = theirs.path() / "mnt", data = theirs.path() / "data";
  run_ok({"mkdir", mnt}, as_them);
  run_ok({TUSKFS_BINARY, "mount", "--data-dir", data, "--log-file", theirs.path() / "log", mnt},
         as_them);
  run_ok({"sh", "-c", "echo text > " + (mnt / "file").string()}, as_them);
  // Root may not look into it, but may ask how it fares.
  EXPECT_NE(tuskfs({"status", mnt}).out.find("connected       yes"), std::string::npos);
  const Finished finished = run({TUSKFS_BINARY, "umount", mnt}, as_them);
  EXPECT_EQ(finished.status, 0) << finished.err;
  EXPECT_FALSE(is_mounted(mnt));
  ::umount2(mnt.c_str(), MNT_DETACH);
  stop_embedded(data);
}

TEST_F(Detached, password_is_seen_nowhere) {
  const std::string conninfo = [&] {
    std::string text = run_ok({TUSKFS_BINARY, "dsn", "--data-dir", data_});
    text.pop_back();
    return text;
  }();
  const Finished finished =
      tuskfs({"mount", conninfo + " password=hush-hush", "--log-file", log_, mnt_});
  ASSERT_EQ(finished.status, 0) << finished.err;
  const std::string pid = std::to_string(driver());
  EXPECT_EQ(content_of("/proc/" + pid + "/cmdline").find("hush-hush"), std::string::npos);
  EXPECT_EQ(content_of(log_).find("hush-hush"), std::string::npos);
  EXPECT_EQ(status().dump().find("hush-hush"), std::string::npos);
  EXPECT_EQ(content_of("/proc/self/mountinfo").find("hush-hush"), std::string::npos);
  umount();
}

TEST_F(Detached, migrations_go_down_and_up) {
  mount();
  umount();
  const Finished down = tuskfs({"migrate", "--data-dir", data_, "down", "--to", "0"});
  EXPECT_EQ(down.status, 0) << down.err;
  EXPECT_NE(down.out.find("down 0001"), std::string::npos) << down.out;
  const Finished state = tuskfs({"migrate", "--data-dir", data_, "status"});
  EXPECT_NE(state.out.find("schema version 0"), std::string::npos) << state.out;
  const Finished up = tuskfs({"migrate", "--data-dir", data_, "up"});
  EXPECT_NE(up.out.find("up 0001"), std::string::npos) << up.out;
  mount();
  umount();
}

}  // namespace
}  // namespace tusk::test
