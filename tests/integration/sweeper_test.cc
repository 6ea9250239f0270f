// What a test program that is killed leaves behind goes.
#include <signal.h>
#include <unistd.h>

#include <fstream>
#include <iostream>

#include "support/fs_fixture.h"

namespace tusk::test {
namespace {

using namespace std::chrono_literals;

// Is killed: run by the one below alone.
TEST(SweeperTest, DISABLED_mounts_and_waits) {
  if (::geteuid() != 0) GTEST_SKIP() << "mounts as root";
  const Mount mount;
  std::cout << "folder " << mount.folder().string() << std::endl;
  std::this_thread::sleep_for(10min);
}

pid_t server_of(const Path& folder) {
  std::ifstream file(folder / "data" / "cluster" / "postmaster.pid");
  pid_t pid = 0;
  file >> pid;
  return pid;
}

TEST(SweeperTest, a_program_that_is_killed_leaves_no_mount_no_server_and_no_folder) {
  if (::geteuid() != 0) GTEST_SKIP() << "mounts as root";
  Child program(
      {"/proc/" + std::to_string(::getpid()) + "/exe",
       "--gtest_filter=SweeperTest.DISABLED_mounts_and_waits", "--gtest_also_run_disabled_tests"},
      {.env = {{"GTEST_TOTAL_SHARDS", ""}, {"GTEST_SHARD_INDEX", ""}}});
  const std::string mark = "\nfolder ";
  ASSERT_TRUE(
      eventually([&] { return program.out_so_far().find(mark) != std::string::npos; }, 120s))
      << program.out_so_far();
  std::string text = program.out_so_far();
  text.erase(0, text.find(mark) + mark.size());
  const Path folder = text.substr(0, text.find('\n'));
  const pid_t server = server_of(folder);
  ASSERT_TRUE(is_mounted(folder / "mnt"));
  ASSERT_EQ(::kill(server, 0), 0);
  program.signal(SIGKILL);
  EXPECT_TRUE(eventually([&] { return !std::filesystem::exists(folder); }));
  EXPECT_FALSE(is_mounted(folder / "mnt"));
  EXPECT_NE(::kill(server, 0), 0);
}

}  // namespace
}  // namespace tusk::test
