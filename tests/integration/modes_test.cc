// Modes, owners, set-id and sticky rules, and who may do what.
#include <unistd.h>

#include "support/fs_fixture.h"

namespace tusk::test {
namespace {

class ModesTest : public FsTest {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root to act as others";
    FsTest::SetUp();
  }
};

constexpr User kAlice{12001, 12001};
constexpr User kBob{12002, 12002};

// The errno of a call made as somebody else.
int errno_as(User user, const std::function<long()>& call) {
  return as_user(user, [&] { return errno_of(call()); });
}
void give(const Path& path, User owner) {
  if (::lchown(path.c_str(), owner.uid, owner.gid) != 0) throw_errno("chown");
}

TEST_F(ModesTest, umask_applies_to_what_is_made) {
  ::umask(027);
  put(at("file"), "", 0666);
  make_folder(at("folder"), 0777);
  ASSERT_EQ(::mkfifo(at("fifo").c_str(), 0666), 0);
  ::umask(022);
  EXPECT_EQ(permissions_of(at("file")), 0640u);
  EXPECT_EQ(permissions_of(at("folder")), 0750u);
  EXPECT_EQ(permissions_of(at("fifo")), 0640u);
}

TEST_F(ModesTest, all_twelve_bits_can_be_set) {
  put(at("file"), "");
  make_folder(at("folder"));
  for (const mode_t mode : {0u, 0777u, 01777u, 02755u, 04755u, 07777u}) {
    ASSERT_EQ(::chmod(at("file").c_str(), mode), 0);
    ASSERT_EQ(::chmod(at("folder").c_str(), mode), 0);
    EXPECT_EQ(permissions_of(at("file")), mode);
    EXPECT_EQ(permissions_of(at("folder")), mode);
  }
}

TEST_F(ModesTest, new_file_belongs_to_its_maker) {
  ASSERT_EQ(::chmod(dir().c_str(), 0777), 0);
  EXPECT_EQ(errno_as(kAlice, [&] { return ::mkdir(at("hers").c_str(), 0755); }), 0);
  EXPECT_EQ(stat_of(at("hers")).st_uid, kAlice.uid);
  EXPECT_EQ(stat_of(at("hers")).st_gid, kAlice.gid);
}

TEST_F(ModesTest, set_gid_folder_hands_its_group_down) {
  make_folder(at("team"));
  give(at("team"), {0, 12100});
  ASSERT_EQ(::chmod(at("team").c_str(), 02777), 0);
  EXPECT_EQ(errno_as(kAlice, [&] { return ::mkdir(at("team/sub").c_str(), 0755); }), 0);
  EXPECT_EQ(errno_as(kAlice, [&] { return ::mknod(at("team/f").c_str(), S_IFREG | 0644, 0); }), 0);
  EXPECT_EQ(stat_of(at("team/sub")).st_gid, 12100u);
  EXPECT_EQ(permissions_of(at("team/sub")), 02755u);
  EXPECT_EQ(stat_of(at("team/f")).st_gid, 12100u);
  EXPECT_EQ(permissions_of(at("team/f")), 0644u);
}

TEST_F(ModesTest, only_the_owner_may_chmod) {
  put(at("file"), "");
  give(at("file"), kAlice);
  EXPECT_EQ(errno_as(kBob, [&] { return ::chmod(at("file").c_str(), 0777); }), EPERM);
  EXPECT_EQ(errno_as(kAlice, [&] { return ::chmod(at("file").c_str(), 0640); }), 0);
  EXPECT_EQ(permissions_of(at("file")), 0640u);
}

TEST_F(ModesTest, only_root_gives_files_away) {
  put(at("file"), "");
  give(at("file"), kAlice);
  EXPECT_EQ(errno_as(kAlice, [&] { return ::chown(at("file").c_str(), kBob.uid, kBob.gid); }),
            EPERM);
  EXPECT_EQ(errno_as(kAlice, [&] { return ::chown(at("file").c_str(), kAlice.uid, kAlice.gid); }),
            0);
}

TEST_F(ModesTest, large_owner_ids_are_kept) {
  put(at("file"), "");
  give(at("file"), {4'000'000'000u, 4'294'967'294u});
  EXPECT_EQ(stat_of(at("file")).st_uid, 4'000'000'000u);
  EXPECT_EQ(stat_of(at("file")).st_gid, 4'294'967'294u);
}

TEST_F(ModesTest, chmod_by_a_stranger_to_the_group_drops_set_gid) {
  put(at("file"), "");
  give(at("file"), {kAlice.uid, 12100});
  EXPECT_EQ(errno_as(kAlice, [&] { return ::chmod(at("file").c_str(), 02755); }), 0);
  EXPECT_EQ(permissions_of(at("file")), 0755u);
}

TEST_F(ModesTest, writing_by_an_ordinary_user_drops_set_id_bits) {
  put(at("file"), "x");
  give(at("file"), kAlice);
  ASSERT_EQ(::chmod(at("file").c_str(), 06777), 0);
  EXPECT_EQ(as_user(kBob,
                    [&] {
                      append_to(open_file(at("file"), O_WRONLY).get(), "y");
                      return 0;
                    }),
            0);
  EXPECT_EQ(permissions_of(at("file")), 0777u);
}

TEST_F(ModesTest, truncating_by_an_ordinary_user_drops_set_id_bits) {
  put(at("file"), "xyz");
  give(at("file"), kAlice);
  ASSERT_EQ(::chmod(at("file").c_str(), 06777), 0);
  EXPECT_EQ(errno_as(kBob, [&] { return ::truncate(at("file").c_str(), 1); }), 0);
  EXPECT_EQ(permissions_of(at("file")), 0777u);
}

TEST_F(ModesTest, chown_by_the_owner_drops_set_id_bits) {
  put(at("file"), "");
  give(at("file"), kAlice);
  ASSERT_EQ(::chmod(at("file").c_str(), 06755), 0);
  EXPECT_EQ(errno_as(kAlice, [&] { return ::chown(at("file").c_str(), kAlice.uid, kAlice.gid); }),
            0);
  EXPECT_EQ(permissions_of(at("file")), 0755u);
}

TEST_F(ModesTest, sticky_folder_protects_the_files_of_others) {
  ASSERT_EQ(::chmod(dir().c_str(), 01777), 0);
  put(at("hers"), "");
  give(at("hers"), kAlice);
  put(at("his"), "");
  give(at("his"), kBob);
  EXPECT_EQ(errno_as(kBob, [&] { return ::unlink(at("hers").c_str()); }), EPERM);
  EXPECT_EQ(errno_as(kBob, [&] { return ::rename(at("hers").c_str(), at("x").c_str()); }), EPERM);
  EXPECT_EQ(errno_as(kBob, [&] { return ::rename(at("his").c_str(), at("hers").c_str()); }), EPERM);
  EXPECT_EQ(errno_as(kAlice, [&] { return ::unlink(at("hers").c_str()); }), 0);
}

TEST_F(ModesTest, permissions_are_enforced_for_ordinary_users) {
  make_folder(at("closed"), 0700);
  put(at("closed/file"), "");
  put(at("secret"), "", 0600);
  put(at("shown"), "", 0644);
  make_folder(at("listed"), 0744);
  put(at("listed/file"), "");
  EXPECT_EQ(errno_as(kBob, [&] { return ::access(at("closed/file").c_str(), F_OK); }), EACCES);
  EXPECT_EQ(as_user(kBob, [&] { return errno_of_open(at("secret"), O_RDONLY); }), EACCES);
  EXPECT_EQ(as_user(kBob, [&] { return errno_of_open(at("shown"), O_RDONLY); }), 0);
  EXPECT_EQ(as_user(kBob, [&] { return errno_of_open(at("shown"), O_WRONLY); }), EACCES);
  EXPECT_EQ(as_user(kBob, [&] { return errno_of_open(at("new"), O_WRONLY | O_CREAT); }), EACCES);
  EXPECT_EQ(as_user(kBob, [&] { return names_in(at("listed")).size() == 1 ? 0 : 1; }), 0);
  EXPECT_EQ(as_user(kBob, [&] { return errno_of_open(at("listed/file"), O_RDONLY); }), EACCES);
}

TEST_F(ModesTest, a_program_with_the_set_uid_bit_runs_as_its_owner) {
  std::filesystem::copy_file("/usr/bin/id", at("id"));
  give(at("id"), kAlice);
  ASSERT_EQ(::chmod(at("id").c_str(), 04755), 0);
  Spawn spawn;
  spawn.user = kBob;
  const std::string text = run_ok({at("id")}, spawn);
  EXPECT_NE(text.find("euid=" + std::to_string(kAlice.uid)), std::string::npos) << text;
}

TEST_F(ModesTest, chmod_of_a_symlink_changes_its_target) {
  put(at("file"), "", 0644);
  ASSERT_EQ(::symlink("file", at("link").c_str()), 0);
  ASSERT_EQ(::chmod(at("link").c_str(), 0600), 0);
  EXPECT_EQ(permissions_of(at("file")), 0600u);
}

}  // namespace
}  // namespace tusk::test
