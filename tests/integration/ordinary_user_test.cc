// The whole of it as an ordinary user: own server, fusermount3, no root anywhere.
#include <unistd.h>

#include "support/fs_fixture.h"
#include "support/fs_sql.h"

namespace tusk::test {
namespace {

class OrdinaryUserTest : public OwnMountTest {
 protected:
  void SetUp() override {
    OwnMountTest::SetUp();
    if (IsSkipped()) return;
    let_everybody_mount();
    MountSetup setup;
    if (::geteuid() == 0) setup.user = ordinary_user();
    user_ = setup.user;
    mount_ = std::make_unique<Mount>(setup);
  }
  // Root too has no business in another user's mount: what looks inside does so as the user.
  Finished sh(const std::string& script) {
    return run({"sh", "-ec", script}, {.cwd = "/", .user = user_});
  }
  std::string in(const std::string& name) const {
    return "'" + (mount_->path() / name).string() + "'";
  }
  std::optional<User> user_;
  std::unique_ptr<Mount> mount_;
};

TEST_F(OrdinaryUserTest, files_are_written_read_back_and_kept) {
  const Finished copied = sh("cp -r /usr/include/linux " + in("linux") +
                             " && diff -r /usr/include/linux " + in("linux"));
  EXPECT_TRUE(copied.ok()) << copied.err;
  EXPECT_EQ(mount_->unmount().status, 0);
  mount_->mount();
  const Finished compared = sh("diff -r /usr/include/linux " + in("linux"));
  EXPECT_TRUE(compared.ok()) << compared.err << compared.out;
  EXPECT_EQ(mount_->unmount().status, 0);
  for (const std::string& line : undeclared_complaints(mount_->log(), 0, {})) ADD_FAILURE() << line;
}

TEST_F(OrdinaryUserTest, links_modes_times_and_attributes_work) {
  const Finished done =
      sh("cd " + in("") +
         " && echo x > f && ln f hard && ln -s f soft && mkfifo p && chmod 0640 f "
         "&& touch -d '2020-01-01 00:00:00.123456789' f && setfattr -n user.a -v 1 f && "
         "setfacl -m u:12001:r f && mv f g && stat -c '%h %a %Y' g && getfattr -n user.a g");
  EXPECT_TRUE(done.ok()) << done.err;
  EXPECT_NE(done.out.find("2 640 15778368"), std::string::npos) << done.out;
}

TEST_F(OrdinaryUserTest, what_only_root_may_is_refused) {
  EXPECT_NE(sh("mknod " + in("null") + " c 1 3").err.find("not permitted"), std::string::npos);
  EXPECT_NE(sh("touch " + in("f") + " && chown root " + in("f")).err.find("not permitted"),
            std::string::npos);
  EXPECT_FALSE(sh("setfattr -n trusted.a -v 1 " + in("f")).ok());
}

TEST_F(OrdinaryUserTest, a_file_without_permission_cannot_be_opened) {
  const Finished refused =
      sh("echo x > " + in("f") + " && chmod 0 " + in("f") + " && cat " + in("f"));
  EXPECT_NE(refused.err.find("Permission denied"), std::string::npos) << refused.err;
}

TEST_F(OrdinaryUserTest, fusermount_and_the_umount_verb_flush) {
  ASSERT_TRUE(sh("echo one > " + in("one")).ok());
  const Finished first = sh("fusermount3 -u '" + mount_->path().string() + "'");
  EXPECT_TRUE(first.ok()) << first.err;
  EXPECT_TRUE(eventually([&] { return !is_mounted(mount_->path()); }));
  mount_->stop_by(0);
  mount_->mount();
  EXPECT_EQ(sh("cat " + in("one") + " && echo two > " + in("two")).out, "one\n");
  const Finished second =
      sh(std::string("'") + TUSKFS_BINARY + "' umount '" + mount_->path().string() + "'");
  EXPECT_TRUE(second.ok()) << second.err;
  mount_->stop_by(0);
  mount_->mount();
  EXPECT_EQ(sh("cat " + in("two")).out, "two\n");
}

TEST_F(OrdinaryUserTest, sql_shows_the_same_files) {
  ASSERT_TRUE(sh("echo hello > " + in("hello") + " && sync " + in("hello")).ok());
  const Finished told = sh("psql \"$('" + std::string(TUSKFS_BINARY) + "' dsn --data-dir '" +
                           mount_->data_dir().string() +
                           "')\" -Atc \"select convert_from(data, 'UTF8') from tusk.files\"");
  EXPECT_EQ(told.out, "hello\n\n") << told.err;
}

}  // namespace
}  // namespace tusk::test
