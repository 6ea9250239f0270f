// Mounting, its errors, and the ways in which a mount ends.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <sstream>

#include "support/fuse_mount.h"

namespace tusk::test {
namespace {

namespace fs = std::filesystem;

// The line of /proc/self/mountinfo after its " - ": type, source and options of the filesystem.
std::string mount_line(const fs::path& path) {
  std::ifstream file("/proc/self/mountinfo");
  for (std::string line; std::getline(file, line);) {
    if (line.find(" " + path.string() + " ") != std::string::npos) return line;
  }
  return {};
}

Error mount_error(const std::string& mountpoint, std::vector<std::string> options = {}) {
  auto reactor = *Reactor::create();
  FakeVfs vfs;
  const auto session = fuse::Session::mount(
      {.mountpoint = mountpoint, .fuse_options = std::move(options)}, *reactor, vfs);
  return session ? Error{} : session.error();
}

// As udev does; a container may lack udev.
void open_device_to_all() { ASSERT_EQ(::chmod("/dev/fuse", 0666), 0); }

TEST(Mounting, tells_the_kernel_type_source_and_options) {
  FakeMount mount({.options = {"noatime", "ro"}});
  const std::string line = mount_line(mount.path());
  EXPECT_NE(line.find(" - fuse.tuskfs fake,with\\134odd\\040name "), std::string::npos) << line;
  EXPECT_NE(line.find("default_permissions"), std::string::npos) << line;
  EXPECT_NE(line.find("noatime"), std::string::npos) << line;
  EXPECT_NE(line.find(" ro"), std::string::npos) << line;
}

TEST(Mounting, a_subtype_of_the_caller_s_wins) {
  FakeMount mount({.options = {"subtype=other"}});
  EXPECT_NE(mount_line(mount.path()).find(" - fuse.other "), std::string::npos);
}

TEST(Mounting, a_missing_folder_is_enoent) {
  const Error error = mount_error("/nonexistent/folder");
  EXPECT_EQ(error.code, ENOENT);
  EXPECT_NE(error.hint.find("mkdir"), std::string::npos);
}

TEST(Mounting, a_file_is_enotdir) {
  const TempFolder temp;
  std::ofstream(temp.path() / "file") << "x";
  EXPECT_EQ(mount_error(temp.path() / "file").code, ENOTDIR);
}

TEST(Mounting, an_unknown_option_is_named) {
  const TempFolder temp;
  const Error error = mount_error(temp.path(), {"no_such_option"});
  EXPECT_EQ(error.code, EINVAL);
  EXPECT_NE(error.what.find("no_such_option"), std::string::npos) << error.what;
}

TEST(Mounting, an_ordinary_user_is_told_about_allow_other) {
  if (::geteuid() != 0) GTEST_SKIP() << "changing the user needs root";
  open_device_to_all();
  if (!std::ifstream("/etc/fuse.conf") || ::access("/usr/bin/fusermount3", X_OK) != 0) {
    FAIL() << "the package fuse3 is not installed";
  }
  const TempFolder temp(ordinary_user());
  const int status = as_user(ordinary_user(), [&] {
    const Error error = mount_error(temp.path(), {"allow_other"});
    return error.code == EPERM && error.hint.find("/etc/fuse.conf") != std::string::npos ? 0 : 1;
  });
  EXPECT_EQ(status, 0);
}

TEST(Mounting, works_for_an_ordinary_user) {
  if (::geteuid() != 0) GTEST_SKIP() << "every other test shows it then";
  open_device_to_all();
  const int status = as_user(ordinary_user(), [] {
    FakeMount mount;
    const fs::path file = mount.path() / "file";
    std::ofstream(file) << "content";
    std::string got;
    std::ifstream(file) >> got;
    mount.session().stop();
    if (mount.join() != 0 || got != "content") return 1;
    return is_mounted(mount.path()) ? 2 : 0;
  });
  EXPECT_EQ(status, 0);
}

TEST(Ending, umount_ends_run_with_0) {
  FakeMount mount;
  std::ofstream(mount.path() / "file") << "content";
  // The kernel tells of a close behind it, and no more after the unmount.
  EXPECT_TRUE(
      eventually([&] { return mount.on_core([](FakeVfs& vfs) { return vfs.handles(); }) == 0; }));
  EXPECT_EQ(mount.unmount(), 0);
  EXPECT_EQ(mount.on_core([](FakeVfs& vfs) { return vfs.kernel_cache(); }), nullptr);
}

TEST(Ending, stop_unmounts) {
  FakeMount mount;
  std::ofstream(mount.path() / "file") << "content";
  mount.session().stop();
  EXPECT_EQ(mount.join(), 0);
  EXPECT_FALSE(is_mounted(mount.path()));
}

TEST(Ending, stop_comes_through_under_a_stream_of_requests) {
  FakeMount mount;
  std::thread load([&] {
    while (::access((mount.path() / "absent").c_str(), F_OK) == -1 && errno == ENOENT &&
           is_mounted(mount.path())) {
      ::close(::open((mount.path() / "file").c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0644));
    }
  });
  mount.session().stop();
  EXPECT_EQ(mount.join(), 0);
  EXPECT_FALSE(is_mounted(mount.path()));
  load.join();
}

TEST(Ending, stop_does_not_wait_for_open_files) {
  FakeMount mount;
  const Fd fd(::open((mount.path() / "file").c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0644));
  ASSERT_TRUE(fd);
  mount.session().stop();
  EXPECT_EQ(mount.join(), 0);
  EXPECT_FALSE(is_mounted(mount.path()));
  EXPECT_EQ(::write(fd.get(), "x", 1), -1);
  EXPECT_EQ(errno, ENOTCONN);
}

TEST(Ending, stop_leaves_a_mount_below_alone) {
  if (::geteuid() != 0) GTEST_SKIP() << "mounting a tmpfs needs root";
  const TempFolder temp;
  ASSERT_EQ(::mount("below", temp.path().c_str(), "tmpfs", 0, nullptr), 0);
  auto reactor = *Reactor::create();
  FakeVfs vfs;
  auto session = fuse::Session::mount({.mountpoint = temp.path()}, *reactor, vfs);
  EXPECT_TRUE(session);
  if (session) {
    std::thread core([&] { EXPECT_EQ((*session)->run(), 0); });
    const Fd fd(::open((temp.path() / "file").c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0644));
    (*session)->stop();
    core.join();
    session->reset();
  }
  EXPECT_NE(mount_line(temp.path()).find("below"), std::string::npos);
  ::umount2(temp.path().c_str(), MNT_DETACH);
}

TEST(Ending, stop_writes_back_what_is_mapped) {
  FakeMount mount;
  const Fd fd(::open((mount.path() / "file").c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0644));
  ASSERT_EQ(::ftruncate(fd.get(), 4096), 0);
  void* map = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
  ASSERT_NE(map, MAP_FAILED);
  static_cast<char*>(map)[0] = 'x';
  mount.take_calls();
  mount.session().stop();
  EXPECT_EQ(mount.join(), 0);
  const auto calls = mount.take_calls();
  EXPECT_EQ(std::ranges::count(calls, "write"), 1);
  ::munmap(map, 4096);
}

TEST(Ending, a_mount_that_was_never_served_goes_with_its_session) {
  const TempFolder temp;
  auto reactor = *Reactor::create();
  FakeVfs vfs;
  {
    const auto session = fuse::Session::mount({.mountpoint = temp.path()}, *reactor, vfs);
    ASSERT_TRUE(session);
    EXPECT_TRUE(is_mounted(temp.path()));
  }
  EXPECT_FALSE(is_mounted(temp.path()));
}

}  // namespace
}  // namespace tusk::test
