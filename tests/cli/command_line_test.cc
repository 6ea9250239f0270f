#include <gtest/gtest.h>

#include <algorithm>

#include "support/mount.h"
#include "support/process.h"

namespace tusk::test {
namespace {

const std::vector<std::string> kVerbs = {"mount",   "umount", "dsn",    "status",
                                         "migrate", "fsck",   "backup", "restore-backup"};

Finished tuskfs(std::vector<std::string> args) {
  args.insert(args.begin(), TUSKFS_BINARY);
  return run(args);
}

// One line on stderr, which names the program, and nothing on stdout.
void expect_one_line(const Finished& finished) {
  EXPECT_EQ(std::ranges::count(finished.err, '\n'), 1) << finished.err;
  EXPECT_TRUE(finished.err.starts_with("tuskfs: ")) << finished.err;
  EXPECT_EQ(finished.out, "");
}

void expect_usage_error(std::vector<std::string> args, const std::string& said) {
  const Finished finished = tuskfs(std::move(args));
  EXPECT_EQ(finished.status, 2);
  expect_one_line(finished);
  EXPECT_NE(finished.err.find(said), std::string::npos) << finished.err;
}

void expect_failure(std::vector<std::string> args, const std::string& said) {
  const Finished finished = tuskfs(std::move(args));
  EXPECT_EQ(finished.status, 1);
  expect_one_line(finished);
  EXPECT_NE(finished.err.find(said), std::string::npos) << finished.err;
}

TEST(CommandLine, every_verb_has_help) {
  for (const std::string& verb : kVerbs) {
    const Finished finished = tuskfs({verb, "--help"});
    EXPECT_EQ(finished.status, 0) << verb;
    EXPECT_NE(finished.out.find("Usage: tuskfs " + verb), std::string::npos) << finished.out;
  }
}

TEST(CommandLine, every_verb_has_a_version) {
  for (const std::string& verb : kVerbs) {
    const Finished finished = tuskfs({verb, "--version"});
    EXPECT_EQ(finished.status, 0) << verb;
    EXPECT_TRUE(finished.out.starts_with("tuskfs ")) << finished.out;
  }
  EXPECT_EQ(tuskfs({"--version"}).status, 0);
}

TEST(CommandLine, help_of_the_program_names_every_verb) {
  const Finished finished = tuskfs({"--help"});
  EXPECT_EQ(finished.status, 0);
  for (const std::string& verb : kVerbs) EXPECT_NE(finished.out.find(verb), std::string::npos);
}

TEST(CommandLine, no_verb_is_a_usage_error) {
  expect_usage_error({}, "mount, sidecar, umount, dsn");
}

TEST(CommandLine, unknown_verb_is_named) { expect_usage_error({"munt", "/mnt"}, "'munt'"); }

TEST(CommandLine, missing_mount_point_is_a_usage_error) {
  expect_usage_error({"mount"}, "MOUNTPOINT");
  expect_usage_error({"umount"}, "MOUNTPOINT");
}

TEST(CommandLine, unknown_option_is_named) {
  expect_usage_error({"mount", "--frobnicate", "/mnt"}, "--frobnicate");
}

TEST(CommandLine, unknown_mount_option_is_named) {
  expect_usage_error({"mount", "-o", "ro,frobnicate=3,noatime", "/mnt"}, "'frobnicate'");
}

TEST(CommandLine, wrong_values_are_usage_errors) {
  expect_usage_error({"mount", "--durability=perhaps", "/mnt"}, "fsync, close or none");
  expect_usage_error({"mount", "--db-timeout=soon", "/mnt"}, "'soon'");
  expect_usage_error({"mount", "--db-timeout=0", "/mnt"}, "'0'");
  expect_usage_error({"mount", "--log-level=loud", "/mnt"}, "'loud'");
  expect_usage_error({"mount", "-o", "durability=perhaps", "/mnt"}, "'perhaps'");
  expect_usage_error({"migrate", "sideways"}, "'sideways'");
  expect_usage_error({"migrate", "up", "--to=-3"}, "--to");
}

TEST(CommandLine, database_and_data_folder_exclude_each_other) {
  expect_usage_error({"mount", "--data-dir", "/x", "dbname=y", "/mnt"}, "--data-dir");
  expect_usage_error({"migrate", "--data-dir", "/x", "dbname=y", "up"}, "--data-dir");
}

TEST(CommandLine, too_many_words_are_a_usage_error) {
  expect_usage_error({"mount", "a", "b", "c"}, "MOUNTPOINT");
}

class MountPoint : public ::testing::Test {
 protected:
  // Whatever is wrong with the mount point, the data folder stays untouched.
  void expect_refused(const std::filesystem::path& mountpoint, const std::string& said) {
    expect_failure({"mount", "--data-dir", data_, mountpoint}, said);
    EXPECT_FALSE(std::filesystem::exists(data_));
  }

  TempFolder temp_;
  std::filesystem::path data_ = temp_.path() / "data";
};

TEST_F(MountPoint, missing_says_how_to_make_it) {
  expect_refused(temp_.path() / "none", "mkdir -p " + (temp_.path() / "none").string());
}

TEST_F(MountPoint, that_is_a_file_is_refused) {
  run_ok({"touch", temp_.path() / "file"});
  expect_refused(temp_.path() / "file", "is not a folder");
}

TEST_F(MountPoint, that_is_not_empty_is_refused) {
  std::filesystem::create_directories(temp_.path() / "full" / "of");
  expect_refused(temp_.path() / "full", "is not empty");
}

TEST_F(MountPoint, of_another_filesystem_is_refused) { expect_refused("/proc", "already mounted"); }

TEST_F(MountPoint, around_the_data_folder_is_refused) {
  std::filesystem::create_directory(temp_.path() / "mnt");
  data_ = temp_.path() / "mnt" / "data";
  expect_refused(temp_.path() / "mnt", "lie in each other");
}

TEST_F(MountPoint, around_the_log_file_is_refused) {
  std::filesystem::create_directory(temp_.path() / "mnt");
  expect_failure({"mount", "--data-dir", data_, "--log-file", temp_.path() / "mnt" / "log",
                  temp_.path() / "mnt"},
                 "--log-file");
  EXPECT_FALSE(std::filesystem::exists(data_));
}

TEST(Umount, of_what_is_no_mount_is_refused) {
  expect_failure({"umount", "/etc"}, "/etc is not a TuskFS mount");
  expect_failure({"umount", "/proc"}, "/proc is not a TuskFS mount");
  expect_failure({"umount", "/no/such/folder"}, "is not a TuskFS mount");
}

TEST(Status, of_what_is_no_mount_is_refused) {
  expect_failure({"status", "/etc"}, "/etc is not a TuskFS mount");
}

TEST(Database, that_cannot_be_reached_is_one_line) {
  TempFolder temp;
  std::filesystem::create_directory(temp.path() / "mnt");
  const std::string database = "host=" + temp.path().string() + " dbname=x password=hush-hush";
  for (const auto& args : {std::vector<std::string>{"mount", database, temp.path() / "mnt"},
                           std::vector<std::string>{"mount", "-f", database, temp.path() / "mnt"},
                           std::vector<std::string>{"migrate", database, "status"}}) {
    const Finished finished = tuskfs(args);
    EXPECT_EQ(finished.status, 1);
    expect_one_line(finished);
    EXPECT_EQ(finished.err.find("hush-hush"), std::string::npos) << finished.err;
  }
}

}  // namespace
}  // namespace tusk::test
