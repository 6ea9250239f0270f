// POSIX access control lists, by setfacl and getfacl.
#include <unistd.h>

#include "support/fs_fixture.h"

namespace tusk::test {
namespace {

constexpr User kAlice{12001, 12001};
constexpr User kBob{12002, 12002};

class AclTest : public FsTest {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root to act as others";
    FsTest::SetUp();
    put(at("file"), "content", 0600);
  }
  void setfacl(const std::vector<std::string>& options, const std::string& name) {
    std::vector<std::string> args = {"setfacl"};
    args.insert(args.end(), options.begin(), options.end());
    args.push_back(at(name));
    run_ok(args);
  }
  std::string getfacl(const std::string& name) {
    return run_ok({"getfacl", "-n", "-c", "-E", "-p", at(name)});
  }
  bool listed(const std::string& entry, const std::string& name) {
    return getfacl(name).find(entry + "\n") != std::string::npos;
  }
  int open_as(User user, const std::string& name, int flags) {
    return as_user(user, [&] { return errno_of_open(at(name), flags); });
  }
};

TEST_F(AclTest, a_named_user_gets_in_and_others_do_not) {
  setfacl({"-m", "u:12001:rw"}, "file");
  EXPECT_EQ(open_as(kAlice, "file", O_RDWR), 0);
  EXPECT_EQ(open_as(kBob, "file", O_RDONLY), EACCES);
  EXPECT_TRUE(listed("user:12001:rw-", "file"));
}

TEST_F(AclTest, a_named_group_gets_in) {
  setfacl({"-m", "g:12002:r"}, "file");
  EXPECT_EQ(open_as(kBob, "file", O_RDONLY), 0);
  EXPECT_EQ(open_as(kBob, "file", O_WRONLY), EACCES);
  EXPECT_EQ(open_as(kAlice, "file", O_RDONLY), EACCES);
}

TEST_F(AclTest, the_group_bits_of_the_mode_are_the_mask) {
  setfacl({"-m", "u:12001:rwx"}, "file");
  EXPECT_EQ(permissions_of(at("file")), 0670u);
  ASSERT_EQ(::chmod(at("file").c_str(), 0640), 0);
  EXPECT_TRUE(listed("mask::r--", "file"));
  EXPECT_EQ(open_as(kAlice, "file", O_RDONLY), 0);
  EXPECT_EQ(open_as(kAlice, "file", O_WRONLY), EACCES);
}

TEST_F(AclTest, setting_the_plain_entries_sets_the_mode) {
  setfacl({"-m", "u::r,g::rw,o::x"}, "file");
  EXPECT_EQ(permissions_of(at("file")), 0461u);
}

TEST_F(AclTest, removing_all_leaves_the_mode) {
  setfacl({"-m", "u:12001:rw"}, "file");
  setfacl({"-b"}, "file");
  EXPECT_EQ(open_as(kAlice, "file", O_RDONLY), EACCES);
  EXPECT_FALSE(listed("user:12001:rw-", "file"));
  EXPECT_EQ(permissions_of(at("file")), 0600u);
}

TEST_F(AclTest, a_default_list_is_inherited_by_files_and_folders) {
  make_folder(at("team"), 0770);
  setfacl({"-d", "-m", "u:12001:rwx,g::r-x,o::---"}, "team");
  ::umask(077);
  put(at("team/file"), "", 0666);
  make_folder(at("team/sub"), 0777);
  ::umask(022);
  EXPECT_TRUE(listed("user:12001:rwx", "team/file")) << getfacl("team/file");
  EXPECT_TRUE(listed("mask::rw-", "team/file")) << getfacl("team/file");
  EXPECT_EQ(permissions_of(at("team/file")), 0660u);
  EXPECT_TRUE(listed("default:user:12001:rwx", "team/sub"));
  EXPECT_TRUE(listed("user:12001:rwx", "team/sub"));
  EXPECT_EQ(permissions_of(at("team/sub")), 0770u);
}

TEST_F(AclTest, a_default_list_reaches_a_second_level_and_other_kinds) {
  make_folder(at("team"), 0777);
  setfacl({"-d", "-m", "u:12001:rw"}, "team");
  make_folder(at("team/sub"), 0755);
  put(at("team/sub/file"), "", 0644);
  ASSERT_EQ(::mkfifo(at("team/fifo").c_str(), 0644), 0);
  EXPECT_TRUE(listed("user:12001:rw-", "team/sub/file"));
  EXPECT_TRUE(listed("user:12001:rw-", "team/fifo"));
}

TEST_F(AclTest, a_default_list_is_for_folders_only) {
  EXPECT_NE(run({"setfacl", "-d", "-m", "u:12001:rw", at("file")}).status, 0);
}

TEST_F(AclTest, only_the_owner_may_change_the_list) {
  Spawn spawn;
  spawn.user = kAlice;
  EXPECT_NE(run({"setfacl", "-m", "u:12001:rwx", at("file")}, spawn).status, 0);
  EXPECT_EQ(open_as(kAlice, "file", O_RDONLY), EACCES);
}

TEST_F(AclTest, lists_are_copied_by_cp_and_moved_by_rename) {
  setfacl({"-m", "u:12001:rw"}, "file");
  run_ok({"cp", "-p", at("file"), at("copy")});
  EXPECT_TRUE(listed("user:12001:rw-", "copy"));
  ASSERT_EQ(::rename(at("file").c_str(), at("moved").c_str()), 0);
  EXPECT_TRUE(listed("user:12001:rw-", "moved"));
}

class AclAfterRemountTest : public MountTest {};

TEST_F(AclAfterRemountTest, lists_hold_after_a_remount) {
  put(at("file"), "", 0600);
  make_folder(at("team"));
  run_ok({"setfacl", "-m", "u:12001:rw", at("file")});
  run_ok({"setfacl", "-d", "-m", "u:12001:rw", at("team")});
  const std::vector<std::string> asked = {"getfacl", "-n", "-p", at("file"), at("team")};
  const std::string before = run_ok(asked);
  mount().remount();
  EXPECT_EQ(run_ok(asked), before);
  EXPECT_EQ(as_user(kAlice, [&] { return errno_of_open(at("file"), O_RDWR); }), 0);
  EXPECT_EQ(as_user(kBob, [&] { return errno_of_open(at("file"), O_RDWR); }), EACCES);
}

}  // namespace
}  // namespace tusk::test
