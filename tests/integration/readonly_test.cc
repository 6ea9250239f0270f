// Read-only mounts, and the one mount that a tree has at a time.
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "support/fs_fixture.h"

namespace tusk::test {
namespace {

class ReadOnlyTest : public OwnMountTest {
 protected:
  void SetUp() override {
    OwnMountTest::SetUp();
    if (IsSkipped()) return;
    mount_ = std::make_unique<Mount>();
    put(mount_->path() / "file", "content");
    make_folder(mount_->path() / "folder");
    mount_->unmount();
    mount_->mount({"-o", "ro"});
  }
  void TearDown() override {
    if (mount_) expect_sound(*mount_);
  }
  Path at(const std::string& name) const { return mount_->path() / name; }
  std::unique_ptr<Mount> mount_;
};

TEST_F(ReadOnlyTest, reading_works) {
  EXPECT_EQ(get(at("file")), "content");
  EXPECT_EQ(names_in(mount_->path()), (std::vector<std::string>{"file", "folder"}));
}

TEST_F(ReadOnlyTest, every_change_is_erofs) {
  EXPECT_EQ(errno_of_open(at("file"), O_WRONLY), EROFS);
  EXPECT_EQ(errno_of_open(at("new"), O_WRONLY | O_CREAT), EROFS);
  EXPECT_EQ(errno_of(::mkdir(at("new").c_str(), 0755)), EROFS);
  EXPECT_EQ(errno_of(::rmdir(at("folder").c_str())), EROFS);
  EXPECT_EQ(errno_of(::unlink(at("file").c_str())), EROFS);
  EXPECT_EQ(errno_of(::rename(at("file").c_str(), at("new").c_str())), EROFS);
  EXPECT_EQ(errno_of(::link(at("file").c_str(), at("new").c_str())), EROFS);
  EXPECT_EQ(errno_of(::symlink("x", at("new").c_str())), EROFS);
  EXPECT_EQ(errno_of(::truncate(at("file").c_str(), 0)), EROFS);
  EXPECT_EQ(errno_of(::chmod(at("file").c_str(), 0600)), EROFS);
  EXPECT_EQ(errno_of(::setxattr(at("file").c_str(), "user.a", "1", 1, 0)), EROFS);
  EXPECT_EQ(get(at("file")), "content");
}

TEST_F(ReadOnlyTest, statfs_says_read_only) {
  struct statvfs s {};
  ASSERT_EQ(::statvfs(mount_->path().c_str(), &s), 0);
  EXPECT_NE(s.f_flag & ST_RDONLY, 0u);
}

class SecondMountTest : public OwnMountTest {};

TEST_F(SecondMountTest, is_welcome_once_the_first_has_gone_or_died) {
  Mount first;
  put(first.path() / "file", "x");
  ASSERT_EQ(::fsync(open_file(first.path(), O_RDONLY).get()), 0);
  first.kill9();
  first.mount();
  EXPECT_EQ(get(first.path() / "file"), "x");
  expect_sound(first);
}

}  // namespace
}  // namespace tusk::test
