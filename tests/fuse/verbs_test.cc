// Each verb through a real mount: what reaches the Vfs, and what comes back.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <fstream>

#include "support/fuse_mount.h"
#include "tuskfs/fuse/clone.h"

namespace tusk::test {
namespace {

namespace fs = std::filesystem;

class Verbs : public ::testing::Test {
 protected:
  fs::path at(const std::string& name) const { return mount_.path() / name; }
  Fd open(const std::string& name, int flags, mode_t mode = 0644) const {
    return Fd(::open(at(name).c_str(), flags | O_CLOEXEC, mode));
  }
  void put(const std::string& name, std::string_view content) const {
    const Fd fd = open(name, O_WRONLY | O_CREAT | O_TRUNC);
    ASSERT_EQ(::write(fd.get(), content.data(), content.size()),
              static_cast<ssize_t>(content.size()));
  }
  std::string get(const std::string& name) const {
    std::ifstream file(at(name));
    return {std::istreambuf_iterator<char>(file), {}};
  }
  struct stat stat_of(const std::string& name) const {
    struct stat st {};
    EXPECT_EQ(::lstat(at(name).c_str(), &st), 0) << name;
    return st;
  }
  void fail(const std::string& verb, int code) {
    mount_.on_core([&](FakeVfs& vfs) { vfs.fail(verb, code); });
  }

  FakeMount mount_;
};

TEST_F(Verbs, content_written_is_read_back) {
  std::string content;
  for (int i = 0; i < 300'000; i++) content += static_cast<char>('a' + i % 23);
  put("file", content);
  EXPECT_EQ(get("file"), content);
  mount_.on_core([](FakeVfs& vfs) { vfs.take_calls(); });
  const Fd direct = open("file", O_RDONLY | O_DIRECT);
  std::string piece(10'000, '\0');
  ASSERT_EQ(::pread(direct.get(), piece.data(), piece.size(), 5'000), 10'000);
  EXPECT_EQ(piece, content.substr(5'000, 10'000));
  ASSERT_EQ(::pread(direct.get(), piece.data(), piece.size(), 295'000), 5'000);
}

TEST_F(Verbs, stat_shows_every_attribute) {
  put("file", "12345");
  const timespec times[2] = {{1'000'000'001, 123'456'789}, {-5, 987'654'321}};
  ASSERT_EQ(::utimensat(AT_FDCWD, at("file").c_str(), times, 0), 0);
  ASSERT_EQ(::chmod(at("file").c_str(), 04751), 0);
  ASSERT_EQ(::chown(at("file").c_str(), 12, 34), 0);
  const struct stat st = stat_of("file");
  EXPECT_EQ(st.st_size, 5);
  EXPECT_EQ(st.st_blocks, 1);
  EXPECT_EQ(st.st_nlink, 1u);
  EXPECT_EQ(st.st_uid, 12u);
  EXPECT_EQ(st.st_gid, 34u);
  EXPECT_EQ(st.st_atim.tv_sec, 1'000'000'001);
  EXPECT_EQ(st.st_atim.tv_nsec, 123'456'789);
  EXPECT_EQ(st.st_mtim.tv_sec, -5);
  EXPECT_EQ(st.st_mtim.tv_nsec, 987'654'321);
}

TEST_F(Verbs, times_of_now_are_the_filesystem_s_to_choose) {
  put("file", "");
  const timespec long_ago[2] = {{1, 0}, {1, 0}};
  ASSERT_EQ(::utimensat(AT_FDCWD, at("file").c_str(), long_ago, 0), 0);
  const timespec now[2] = {{0, UTIME_OMIT}, {0, UTIME_NOW}};
  ASSERT_EQ(::utimensat(AT_FDCWD, at("file").c_str(), now, 0), 0);
  const struct stat st = stat_of("file");
  EXPECT_EQ(st.st_atim.tv_sec, 1);
  EXPECT_GT(st.st_mtim.tv_sec, 1'000'000'000);
}

TEST_F(Verbs, truncate_changes_the_size_by_path_and_by_handle) {
  put("file", "12345");
  ASSERT_EQ(::truncate(at("file").c_str(), 3), 0);
  EXPECT_EQ(get("file"), "123");
  const Fd fd = open("file", O_RDWR);
  ASSERT_EQ(::unlink(at("file").c_str()), 0);
  ASSERT_EQ(::ftruncate(fd.get(), 7), 0);
  struct stat st {};
  ASSERT_EQ(::fstat(fd.get(), &st), 0);
  EXPECT_EQ(st.st_size, 7);
}

TEST_F(Verbs, truncating_at_open_is_one_request) {
  put("file", "12345");
  mount_.take_calls();
  open("file", O_WRONLY | O_TRUNC).reset();
  EXPECT_EQ(stat_of("file").st_size, 0);
  const auto calls = mount_.take_calls();
  EXPECT_EQ(std::ranges::count(calls, "setattr"), 0);
  EXPECT_EQ(std::ranges::count(calls, "open"), 1);
}

TEST_F(Verbs, the_umask_is_handed_on_and_not_applied) {
  const mode_t before = ::umask(027);
  open("file", O_CREAT | O_WRONLY, 0666).reset();
  ::umask(before);
  EXPECT_EQ(stat_of("file").st_mode & 07777, 0640u);  // applied by the Vfs
}

TEST_F(Verbs, special_files_keep_type_and_device) {
  ASSERT_EQ(::mkfifo(at("fifo").c_str(), 0600), 0);
  ASSERT_EQ(::mknod(at("device").c_str(), S_IFCHR | 0600, ::makedev(7, 300)), 0);
  EXPECT_TRUE(S_ISFIFO(stat_of("fifo").st_mode));
  EXPECT_TRUE(S_ISCHR(stat_of("device").st_mode));
  EXPECT_EQ(stat_of("device").st_rdev, ::makedev(7, 300));
}

TEST_F(Verbs, folders_come_and_go) {
  ASSERT_EQ(::mkdir(at("folder").c_str(), 0755), 0);
  put("folder/file", "x");
  EXPECT_EQ(::rmdir(at("folder").c_str()), -1);
  EXPECT_EQ(errno, ENOTEMPTY);
  ASSERT_EQ(::unlink(at("folder/file").c_str()), 0);
  ASSERT_EQ(::rmdir(at("folder").c_str()), 0);
  EXPECT_FALSE(fs::exists(at("folder")));
}

TEST_F(Verbs, symlinks_are_read_and_followed) {
  put("file", "content");
  ASSERT_EQ(::symlink("file", at("link").c_str()), 0);
  EXPECT_EQ(fs::read_symlink(at("link")), "file");
  EXPECT_EQ(get("link"), "content");
}

TEST_F(Verbs, hard_links_share_an_inode) {
  put("one", "content");
  ASSERT_EQ(::link(at("one").c_str(), at("two").c_str()), 0);
  EXPECT_EQ(stat_of("one").st_ino, stat_of("two").st_ino);
  EXPECT_EQ(stat_of("one").st_nlink, 2u);
  ASSERT_EQ(::unlink(at("one").c_str()), 0);
  EXPECT_EQ(get("two"), "content");
  EXPECT_EQ(stat_of("two").st_nlink, 1u);
}

TEST_F(Verbs, rename_passes_its_flags_on) {
  put("a", "A");
  put("b", "B");
  EXPECT_EQ(::renameat2(AT_FDCWD, at("a").c_str(), AT_FDCWD, at("b").c_str(), RENAME_NOREPLACE),
            -1);
  EXPECT_EQ(errno, EEXIST);
  ASSERT_EQ(::renameat2(AT_FDCWD, at("a").c_str(), AT_FDCWD, at("b").c_str(), RENAME_EXCHANGE), 0);
  EXPECT_EQ(get("a"), "B");
  ASSERT_EQ(::rename(at("a").c_str(), at("b").c_str()), 0);
  EXPECT_EQ(get("b"), "B");
  EXPECT_FALSE(fs::exists(at("a")));
}

TEST_F(Verbs, xattrs_tell_their_length_and_refuse_a_small_buffer) {
  put("file", "");
  ASSERT_EQ(::setxattr(at("file").c_str(), "user.a", "value", 5, XATTR_CREATE), 0);
  EXPECT_EQ(::setxattr(at("file").c_str(), "user.a", "other", 5, XATTR_CREATE), -1);
  EXPECT_EQ(errno, EEXIST);
  EXPECT_EQ(::getxattr(at("file").c_str(), "user.a", nullptr, 0), 5);
  std::array<char, 64> buffer{};
  EXPECT_EQ(::getxattr(at("file").c_str(), "user.a", buffer.data(), 3), -1);
  EXPECT_EQ(errno, ERANGE);
  EXPECT_EQ(::getxattr(at("file").c_str(), "user.a", buffer.data(), buffer.size()), 5);
  EXPECT_STREQ(buffer.data(), "value");
  EXPECT_EQ(::listxattr(at("file").c_str(), nullptr, 0), 7);
  EXPECT_EQ(::listxattr(at("file").c_str(), buffer.data(), 3), -1);
  EXPECT_EQ(errno, ERANGE);
  EXPECT_EQ(::listxattr(at("file").c_str(), buffer.data(), buffer.size()), 7);
  EXPECT_STREQ(buffer.data(), "user.a");
  ASSERT_EQ(::removexattr(at("file").c_str(), "user.a"), 0);
  EXPECT_EQ(::getxattr(at("file").c_str(), "user.a", nullptr, 0), -1);
  EXPECT_EQ(errno, ENODATA);
}

TEST_F(Verbs, fallocate_extends_and_says_what_it_cannot) {
  const Fd fd = open("file", O_RDWR | O_CREAT);
  ASSERT_EQ(::fallocate(fd.get(), 0, 0, 5000), 0);
  EXPECT_EQ(stat_of("file").st_size, 5000);
  ASSERT_EQ(::fallocate(fd.get(), FALLOC_FL_KEEP_SIZE, 0, 9000), 0);
  EXPECT_EQ(stat_of("file").st_size, 5000);
  EXPECT_EQ(::fallocate(fd.get(), FALLOC_FL_COLLAPSE_RANGE, 0, 4096), -1);
  EXPECT_EQ(errno, EOPNOTSUPP);
}

TEST_F(Verbs, copy_file_range_stays_in_the_filesystem) {
  put("from", "0123456789");
  put("to", "");
  const Fd from = open("from", O_RDONLY), to = open("to", O_RDWR);
  off_t source = 2;
  mount_.take_calls();
  ASSERT_EQ(::copy_file_range(from.get(), &source, to.get(), nullptr, 5, 0), 5);
  EXPECT_EQ(get("to"), "23456");
  const auto calls = mount_.take_calls();
  EXPECT_EQ(std::ranges::count(calls, "copy_file_range"), 1);
  EXPECT_EQ(std::ranges::count(calls, "write"), 0);
}

TEST_F(Verbs, seek_finds_data_and_holes) {
  put("file", "12345");
  const Fd fd = open("file", O_RDONLY);
  EXPECT_EQ(::lseek(fd.get(), 2, SEEK_DATA), 2);
  EXPECT_EQ(::lseek(fd.get(), 2, SEEK_HOLE), 5);
  EXPECT_EQ(::lseek(fd.get(), 5, SEEK_DATA), -1);
  EXPECT_EQ(errno, ENXIO);
}

TEST_F(Verbs, fsync_of_files_and_folders_reaches_the_filesystem) {
  const Fd file = open("file", O_RDWR | O_CREAT), folder = open(".", O_RDONLY | O_DIRECTORY);
  mount_.take_calls();
  ASSERT_EQ(::fsync(file.get()), 0);
  ASSERT_EQ(::fdatasync(file.get()), 0);
  ASSERT_EQ(::fsync(folder.get()), 0);
  EXPECT_EQ(mount_.take_calls(), (std::vector<std::string>{"fsync", "fsync", "fsyncdir"}));
  fail("fsync", ENOSPC);
  EXPECT_EQ(::fsync(file.get()), -1);
  EXPECT_EQ(errno, ENOSPC);
}

TEST_F(Verbs, statfs_shows_the_filesystem_s_numbers) {
  struct statvfs out {};
  ASSERT_EQ(::statvfs(mount_.path().c_str(), &out), 0);
  EXPECT_EQ(out.f_frsize, 4096u);
  EXPECT_EQ(out.f_blocks, 1000u);
  EXPECT_EQ(out.f_bfree, 600u);
  EXPECT_EQ(out.f_bavail, 500u);
  EXPECT_EQ(out.f_files, 200u);
  EXPECT_EQ(out.f_ffree, 100u);
  EXPECT_EQ(out.f_namemax, 255u);
}

TEST_F(Verbs, locks_are_the_kernel_s_and_hold_between_opens) {
  const Fd one = open("file", O_RDWR | O_CREAT), two = open("file", O_RDWR);
  ASSERT_EQ(::flock(one.get(), LOCK_EX | LOCK_NB), 0);
  EXPECT_EQ(::flock(two.get(), LOCK_EX | LOCK_NB), -1);
  EXPECT_EQ(errno, EWOULDBLOCK);
  struct flock lock {};
  lock.l_type = F_WRLCK;
  EXPECT_EQ(::fcntl(one.get(), F_SETLK, &lock), 0);
}

TEST_F(Verbs, poll_tells_what_the_filesystem_says_and_wakes_when_that_changes) {
  constexpr int kLong = 20'000;  // ms
  const Fd file = open("file", O_RDWR | O_CREAT);
  pollfd one{file.get(), POLLIN | POLLOUT, 0};
  ASSERT_EQ(::poll(&one, 1, 0), 1);
  EXPECT_EQ(one.revents, POLLIN | POLLOUT);
  mount_.on_core([](FakeVfs& vfs) { vfs.set_ready(0); });
  ASSERT_EQ(::poll(&one, 1, 0), 0);
  const Fd group(::epoll_create1(EPOLL_CLOEXEC));
  epoll_event event{EPOLLIN, {}};
  ASSERT_EQ(::epoll_ctl(group.get(), EPOLL_CTL_ADD, file.get(), &event), 0);
  EXPECT_EQ(::epoll_wait(group.get(), &event, 1, 0), 0);
  mount_.on_core([](FakeVfs& vfs) { vfs.set_ready(POLLIN); });
  EXPECT_EQ(::epoll_wait(group.get(), &event, 1, kLong), 1);
  EXPECT_EQ(event.events, static_cast<std::uint32_t>(EPOLLIN));
  fail("poll", EIO);
  ASSERT_EQ(::poll(&one, 1, 0), 1);
  EXPECT_NE(one.revents & POLLERR, 0);
}

TEST_F(Verbs, a_clone_is_asked_for_by_an_ioctl_on_files_and_folders) {
  put("source", "content");
  ASSERT_EQ(::mkdir(at("folder").c_str(), 0755), 0);
  const Fd target = open("target", O_CREAT | O_WRONLY);
  const Fd folder = open("folder", O_RDONLY | O_DIRECTORY);
  struct stat st {};
  ASSERT_EQ(::stat(at("source").c_str(), &st), 0);
  std::uint64_t ino = st.st_ino;
  EXPECT_EQ(::ioctl(target.get(), fuse::kCloneFrom, &ino), 0);
  EXPECT_EQ(::ioctl(folder.get(), fuse::kCloneFrom, &ino), 0);
  struct statx now {};
  ASSERT_EQ(::statx(target.get(), "", AT_EMPTY_PATH | AT_STATX_FORCE_SYNC, STATX_SIZE, &now), 0);
  EXPECT_EQ(now.stx_size, 7u);
}

TEST_F(Verbs, unknown_ioctls_are_enotty) {
  const Fd fd = open("file", O_RDWR | O_CREAT);
  int flags = 0;
  EXPECT_EQ(::ioctl(fd.get(), FS_IOC_GETFLAGS, &flags), -1);
  EXPECT_EQ(errno, ENOTTY);
}

TEST_F(Verbs, errors_pass_unchanged) {
  put("file", "x");
  for (const int code : {EIO, ENOSPC, EROFS, EDQUOT, EILSEQ, ENAMETOOLONG, EXDEV}) {
    fail("create", code);
    EXPECT_FALSE(open("new", O_CREAT | O_WRONLY));
    EXPECT_EQ(errno, code);
    fail("setattr", code);
    EXPECT_EQ(::chmod(at("file").c_str(), 0600), -1);
    EXPECT_EQ(errno, code);
    fail("rename", code);
    EXPECT_EQ(::rename(at("file").c_str(), at("other").c_str()), -1);
    EXPECT_EQ(errno, code);
  }
}

TEST_F(Verbs, a_verb_that_throws_is_eio_and_the_mount_goes_on) {
  fail("mkdir", -1);
  EXPECT_EQ(::mkdir(at("folder").c_str(), 0755), -1);
  EXPECT_EQ(errno, EIO);
  fail("mkdir", 0);
  EXPECT_EQ(::mkdir(at("folder").c_str(), 0755), 0);
}

}  // namespace
}  // namespace tusk::test
