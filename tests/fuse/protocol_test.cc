// What the kernel is asked to remember, how many requests things cost, and requests that wait.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <fstream>
#include <set>

#include "support/fuse_mount.h"
#include "support/process.h"

namespace tusk::test {
namespace {

namespace fs = std::filesystem;
using Calls = std::vector<std::string>;

Fd create(const fs::path& path) {
  return Fd(::open(path.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644));
}

std::uint64_t lookups(FakeMount& mount) {
  return mount.on_core([](FakeVfs& vfs) { return vfs.lookups(); });
}
std::size_t waiting(FakeMount& mount) {
  return mount.on_core([](FakeVfs& vfs) { return vfs.waiting(); });
}

// The performance contract: every further request costs a round trip of tens of microseconds. Two
// of these the kernel insists on: a create makes it doubt the folder's attributes, and whoever
// checks permissions (default_permissions, which ACLs imply) asks for them again; and before the
// first write to an inode it asks for security.capability, as no inode starts as one that is known
// to have none.
TEST(Requests, a_small_file_costs_six) {
  FakeMount mount;
  const auto write_file = [&](const char* name) {
    const Fd fd = create(mount.path() / name);
    const std::string content(4096, 'x');
    ASSERT_EQ(::write(fd.get(), content.data(), content.size()), 4096);
  };
  const auto closed = [&] {
    return eventually(
        [&] { return mount.on_core([](FakeVfs& vfs) { return vfs.handles(); }) == 0; });
  };
  write_file("first");  // here the kernel learns that there is no flush
  ASSERT_TRUE(closed());
  mount.take_calls();
  write_file("second");
  ASSERT_TRUE(closed());
  EXPECT_EQ(mount.take_calls(),
            (Calls{"getattr", "lookup", "create", "getxattr", "write", "release"}));
}

TEST(Requests, many_writes_to_an_open_file_ask_for_nothing_else) {
  FakeMount mount;
  const Fd fd = create(mount.path() / "file");
  ASSERT_EQ(::write(fd.get(), "x", 1), 1);
  mount.take_calls();
  for (int i = 0; i < 5; i++) ASSERT_EQ(::write(fd.get(), "x", 1), 1);
  EXPECT_EQ(mount.take_calls(), Calls(5, "write"));
}

TEST(Requests, a_large_write_is_split_by_the_mebibyte) {
  FakeMount mount;
  const Fd fd = create(mount.path() / "file");
  mount.take_calls();
  const std::string content(4 << 20, 'x');
  ASSERT_EQ(::write(fd.get(), content.data(), content.size()), 4 << 20);
  EXPECT_LE(mount.take_calls().size(), 5u);
}

TEST(Requests, what_is_known_is_not_asked_again) {
  FakeMount mount;
  create(mount.path() / "file").reset();
  struct stat st {};
  ASSERT_EQ(::stat((mount.path() / "file").c_str(), &st), 0);
  EXPECT_EQ(::stat((mount.path() / "absent").c_str(), &st), -1);
  mount.take_calls();
  for (int i = 0; i < 10; i++) {
    ASSERT_EQ(::stat((mount.path() / "file").c_str(), &st), 0);
    EXPECT_EQ(::stat((mount.path() / "absent").c_str(), &st), -1);
    EXPECT_EQ(errno, ENOENT);
  }
  const Calls calls = mount.take_calls();
  EXPECT_EQ(std::ranges::count(calls, "lookup"), 0);
  EXPECT_EQ(std::ranges::count(calls, "getattr"), 0);
}

TEST(Requests, a_long_listing_does_not_ask_every_file_for_attributes) {
  FakeMount mount;
  for (int i = 0; i < 100; i++) create(mount.path() / std::to_string(i)).reset();
  run_ok({"ls", "-l", mount.path()});
  mount.take_calls();
  run_ok({"ls", "-l", mount.path()});
  EXPECT_LT(std::ranges::count(mount.take_calls(), "getxattr"), 10);
}

TEST(Requests, content_stays_cached_over_close_and_open) {
  FakeMount mount;
  std::ofstream(mount.path() / "file") << std::string(100'000, 'x');
  const auto read_all = [&] {
    std::ifstream file(mount.path() / "file");
    return std::string(std::istreambuf_iterator<char>(file), {}).size();
  };
  EXPECT_EQ(read_all(), 100'000u);
  mount.take_calls();
  EXPECT_EQ(read_all(), 100'000u);
  const Calls calls = mount.take_calls();
  EXPECT_EQ(std::ranges::count(calls, "read"), 0);
}

TEST(Requests, close_waits_for_a_filesystem_that_wants_it) {
  FakeMount mount({.wants_flush = true});
  Fd fd = create(mount.path() / "file");
  mount.on_core([](FakeVfs& vfs) { vfs.fail("flush", ENOSPC); });
  EXPECT_EQ(::close(fd.release()), -1);
  EXPECT_EQ(errno, ENOSPC);
}

TEST(Requests, the_caller_is_named) {
  if (::geteuid() != 0) GTEST_SKIP() << "changing the user needs root";
  FakeMount mount({.options = {"allow_other"}});
  ASSERT_EQ(::chmod(mount.path().c_str(), 0777), 0);
  const User user = ordinary_user();
  const std::string path = mount.path() / "file";
  EXPECT_EQ(as_user(user, [&] { return create(path) ? 0 : 1; }), 0);
  struct stat st {};
  ASSERT_EQ(::stat(path.c_str(), &st), 0);
  EXPECT_EQ(st.st_uid, user.uid);
  EXPECT_EQ(st.st_gid, user.gid);
}

TEST(Listing, shows_ten_thousand_entries_once_each) {
  FakeMount mount;
  std::set<std::string> expected;
  for (int i = 0; i < 10'000; i++) {
    const std::string name = "entry-with-a-name-" + std::to_string(i);
    create(mount.path() / name).reset();
    expected.insert(name);
  }
  for (int round = 0; round < 2; round++) {
    std::set<std::string> found;
    std::size_t count = 0;
    for (const auto& entry : fs::directory_iterator(mount.path())) {
      found.insert(entry.path().filename());
      EXPECT_TRUE(entry.is_regular_file());
      count++;
    }
    EXPECT_EQ(found, expected);
    EXPECT_EQ(count, expected.size());
  }
}

TEST(Listing, follows_changes_made_here) {
  FakeMount mount;
  const auto names = [&] {
    std::set<std::string> found;
    for (const auto& entry : fs::directory_iterator(mount.path())) {
      found.insert(entry.path().filename());
    }
    return found;
  };
  for (const char* name : {"a", "b", "c"}) create(mount.path() / name).reset();
  EXPECT_EQ(names(), (std::set<std::string>{"a", "b", "c"}));
  EXPECT_EQ(names(), (std::set<std::string>{"a", "b", "c"}));
  fs::remove(mount.path() / "b");
  EXPECT_EQ(names(), (std::set<std::string>{"a", "c"}));
  fs::rename(mount.path() / "c", mount.path() / "d");
  EXPECT_EQ(names(), (std::set<std::string>{"a", "d"}));
}

TEST(Forgetting, brings_every_count_back_to_zero) {
  FakeMount mount;
  fs::create_directory(mount.path() / "folder");
  for (int i = 0; i < 2'000; i++) {
    create(mount.path() / "folder" / std::to_string(i)).reset();
  }
  for (const auto& entry : fs::recursive_directory_iterator(mount.path())) {
    EXPECT_TRUE(entry.exists());
  }
  EXPECT_GE(lookups(mount), 2'001u);
  std::ofstream("/proc/sys/vm/drop_caches") << 2 << std::flush;
  EXPECT_TRUE(eventually([&] { return lookups(mount) == 0; }))
      << lookups(mount) << " left; dropping caches needs root";
}

TEST(Forgetting, is_complete_when_entries_did_not_fit) {
  FakeMount mount;
  for (int i = 0; i < 3'000; i++)
    create(mount.path() / (std::string(200, 'n') + std::to_string(i))).reset();
  std::ofstream("/proc/sys/vm/drop_caches") << 2 << std::flush;
  ASSERT_TRUE(eventually([&] { return lookups(mount) == 0; }));
  for (const auto& entry : fs::directory_iterator(mount.path())) EXPECT_TRUE(entry.exists());
  std::ofstream("/proc/sys/vm/drop_caches") << 2 << std::flush;
  EXPECT_TRUE(eventually([&] { return lookups(mount) == 0; })) << lookups(mount) << " left";
}

TEST(Forgetting, can_be_asked_for) {
  FakeMount mount;
  create(mount.path() / "file").reset();
  ASSERT_GE(lookups(mount), 1u);
  mount.on_core([](FakeVfs& vfs) { vfs.kernel_cache()->drop_entry(kRootIno, "file"); });
  EXPECT_TRUE(eventually([&] { return lookups(mount) == 0; }));
  EXPECT_TRUE(fs::exists(mount.path() / "file"));
}

TEST(Waiting, others_go_on_while_one_waits) {
  FakeMount mount;
  const Fd fd = create(mount.path() / "file");
  mount.on_core([](FakeVfs& vfs) { vfs.hold("fsync"); });
  std::atomic<int> result = -2;
  std::thread waiter([&] { result = ::fsync(fd.get()); });
  EXPECT_TRUE(eventually([&] { return waiting(mount) == 1; }));
  create(mount.path() / "other").reset();
  EXPECT_EQ(result, -2);
  mount.on_core([](FakeVfs& vfs) { vfs.let_go(); });
  waiter.join();
  EXPECT_EQ(result, 0);
}

TEST(Waiting, a_late_answer_carries_its_value) {
  FakeMount mount;
  std::ofstream(mount.path() / "file") << "content";
  mount.on_core([](FakeVfs& vfs) { vfs.hold("open"); });
  std::string got;
  std::thread waiter([&] {
    std::ifstream file(mount.path() / "file");
    std::getline(file, got);
  });
  EXPECT_TRUE(eventually([&] { return waiting(mount) == 1; }));
  mount.on_core([](FakeVfs& vfs) { vfs.let_go(); });
  waiter.join();
  EXPECT_EQ(got, "content");
}

TEST(Waiting, a_signal_interrupts_it) {
  FakeMount mount;
  const Fd fd = create(mount.path() / "file");
  mount.on_core([](FakeVfs& vfs) { vfs.hold("fsync"); });
  struct sigaction action {};
  action.sa_handler = [](int) {};
  ASSERT_EQ(::sigaction(SIGUSR1, &action, nullptr), 0);
  std::atomic<int> code = -1;
  std::thread waiter([&] { code = ::fsync(fd.get()) == 0 ? 0 : errno; });
  EXPECT_TRUE(eventually([&] { return waiting(mount) == 1; }));
  ::pthread_kill(waiter.native_handle(), SIGUSR1);
  waiter.join();
  EXPECT_EQ(code, EINTR);
  EXPECT_EQ(mount.on_core([](FakeVfs& vfs) { return vfs.interrupts(); }), 1u);
}

TEST(Waiting, a_caller_can_be_killed) {
  FakeMount mount;
  create(mount.path() / "file").reset();
  mount.on_core([](FakeVfs& vfs) { vfs.hold("fsync"); });
  Child waiter({"sync", mount.path() / "file"});
  EXPECT_TRUE(eventually([&] { return waiting(mount) == 1; }));
  waiter.signal(SIGKILL);
  EXPECT_TRUE(eventually([&] { return !waiter.running(); }));
  EXPECT_EQ(waiting(mount), 0u);
}

TEST(Waiting, an_answer_after_the_end_leaves_nothing_open) {
  FakeMount mount;
  create(mount.path() / "file").reset();
  mount.on_core([](FakeVfs& vfs) { vfs.hold("open"); });
  std::thread waiter(
      [&] { EXPECT_EQ(::open((mount.path() / "file").c_str(), O_RDONLY | O_CLOEXEC), -1); });
  EXPECT_TRUE(eventually([&] { return waiting(mount) == 1; }));
  ::umount2(mount.path().c_str(), MNT_FORCE | MNT_DETACH);
  EXPECT_EQ(mount.join(), 0);
  waiter.join();
  mount.on_core([](FakeVfs& vfs) { vfs.let_go(); });
  EXPECT_EQ(mount.on_core([](FakeVfs& vfs) { return vfs.handles(); }), 0u);
}

TEST(Waiting, timers_and_posted_work_run_under_a_stream_of_requests) {
  FakeMount mount;
  std::atomic<bool> done = false;
  std::thread load([&] {
    while (!done) ::access((mount.path() / "absent" / "below").c_str(), F_OK);
  });
  std::atomic<int> ran = 0;
  for (int i = 0; i < 100; i++) mount.on_core([&](FakeVfs&) { ran++; });
  EXPECT_EQ(ran, 100);
  done = true;
  load.join();
}

}  // namespace
}  // namespace tusk::test
