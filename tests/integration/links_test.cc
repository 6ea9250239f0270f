// Symlinks, hard links, FIFOs, sockets and devices.
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#include "support/fs_fixture.h"

namespace tusk::test {
namespace {

class LinksTest : public FsTest {
 protected:
  std::string target_of(const std::string& name) const {
    char buffer[5000];
    const ssize_t n = ::readlink(at(name).c_str(), buffer, sizeof buffer);
    if (n < 0) throw_errno("readlink");
    return std::string(buffer, static_cast<std::size_t>(n));
  }
};

TEST_F(LinksTest, symlink_keeps_its_target_to_the_byte) {
  for (const std::string& target : {std::string("a"), std::string("../x y/\xc3\xa9"),
                                    std::string(4095, 'p'), std::string("not utf8 \xff\xfe")}) {
    ASSERT_EQ(::symlink(target.c_str(), at("link").c_str()), 0);
    EXPECT_EQ(target_of("link"), target);
    EXPECT_EQ(stat_of(at("link")).st_size, static_cast<off_t>(target.size()));
    ASSERT_EQ(::unlink(at("link").c_str()), 0);
  }
}

TEST_F(LinksTest, symlink_has_mode_0777_whatever_the_umask) {
  ::umask(077);
  ASSERT_EQ(::symlink("x", at("link").c_str()), 0);
  ::umask(022);
  EXPECT_EQ(stat_of(at("link")).st_mode, static_cast<mode_t>(S_IFLNK | 0777));
}

TEST_F(LinksTest, symlinks_are_followed_and_loops_are_eloop) {
  make_folder(at("folder"));
  put(at("folder/file"), "through");
  ASSERT_EQ(::symlink("folder", at("link").c_str()), 0);
  EXPECT_EQ(get(at("link/file")), "through");
  ASSERT_EQ(::symlink("loop", at("loop").c_str()), 0);
  EXPECT_EQ(errno_of_open(at("loop"), O_RDONLY), ELOOP);
}

TEST_F(LinksTest, symlink_over_an_existing_name_is_eexist) {
  put(at("file"), "");
  EXPECT_EQ(errno_of(::symlink("x", at("file").c_str())), EEXIST);
  EXPECT_EQ(errno_of(::symlink("", at("empty").c_str())), ENOENT);
}

TEST_F(LinksTest, readlink_of_what_is_no_symlink_is_einval) {
  put(at("file"), "");
  char buffer[8];
  EXPECT_EQ(errno_of(::readlink(at("file").c_str(), buffer, sizeof buffer)), EINVAL);
}

TEST_F(LinksTest, hard_links_are_one_file) {
  put(at("a"), "first");
  make_folder(at("sub"));
  ASSERT_EQ(::link(at("a").c_str(), at("sub/b").c_str()), 0);
  EXPECT_EQ(stat_of(at("a")).st_ino, stat_of(at("sub/b")).st_ino);
  EXPECT_EQ(stat_of(at("a")).st_nlink, 2u);
  put(at("sub/b"), "second");
  EXPECT_EQ(get(at("a")), "second");
  ASSERT_EQ(::chmod(at("a").c_str(), 0600), 0);
  EXPECT_EQ(permissions_of(at("sub/b")), 0600u);
}

TEST_F(LinksTest, removing_the_first_name_keeps_the_others) {
  put(at("a"), "kept");
  ASSERT_EQ(::link(at("a").c_str(), at("b").c_str()), 0);
  ASSERT_EQ(::link(at("b").c_str(), at("c").c_str()), 0);
  ASSERT_EQ(::unlink(at("a").c_str()), 0);
  EXPECT_EQ(get(at("b")), "kept");
  EXPECT_EQ(stat_of(at("c")).st_nlink, 2u);
  ASSERT_EQ(::unlink(at("b").c_str()), 0);
  EXPECT_EQ(get(at("c")), "kept");
  EXPECT_EQ(stat_of(at("c")).st_nlink, 1u);
}

TEST_F(LinksTest, hard_link_refusals_have_the_right_errno) {
  put(at("a"), "");
  make_folder(at("folder"));
  EXPECT_EQ(errno_of(::link(at("folder").c_str(), at("x").c_str())), EPERM);
  EXPECT_EQ(errno_of(::link(at("a").c_str(), at("folder").c_str())), EEXIST);
  EXPECT_EQ(errno_of(::link(at("no").c_str(), at("x").c_str())), ENOENT);
  EXPECT_EQ(stat_of(at("a")).st_nlink, 1u);
}

TEST_F(LinksTest, a_symlink_can_have_hard_links) {
  ASSERT_EQ(::symlink("target", at("a").c_str()), 0);
  ASSERT_EQ(::linkat(AT_FDCWD, at("a").c_str(), AT_FDCWD, at("b").c_str(), 0), 0);
  EXPECT_EQ(target_of("b"), "target");
  EXPECT_EQ(stat_of(at("a")).st_nlink, 2u);
}

TEST_F(LinksTest, a_thousand_hard_links_work) {
  put(at("a"), "x");
  for (int i = 0; i < 1000; i++)
    ASSERT_EQ(::link(at("a").c_str(), at("l" + std::to_string(i)).c_str()), 0);
  EXPECT_EQ(stat_of(at("a")).st_nlink, 1001u);
  for (int i = 0; i < 1000; i += 2) ASSERT_EQ(::unlink(at("l" + std::to_string(i)).c_str()), 0);
  EXPECT_EQ(stat_of(at("l1")).st_nlink, 501u);
}

TEST_F(LinksTest, fifo_carries_bytes_between_processes) {
  ASSERT_EQ(::mkfifo(at("fifo").c_str(), 0640), 0);
  EXPECT_EQ(stat_of(at("fifo")).st_mode, static_cast<mode_t>(S_IFIFO | 0640));
  Child writer({"sh", "-c", "echo through > '" + at("fifo").string() + "'"});
  EXPECT_EQ(run_ok({"cat", at("fifo")}), "through\n");
  EXPECT_TRUE(writer.wait(std::chrono::seconds(20)).ok());
}

TEST_F(LinksTest, socket_can_be_bound_and_connected_to) {
  // sun_path holds 107 bytes, less than a deep test folder: bind by a relative name.
  const Path before = std::filesystem::current_path();
  std::filesystem::current_path(dir());
  const Fd server(::socket(AF_UNIX, SOCK_STREAM, 0)), client(::socket(AF_UNIX, SOCK_STREAM, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::string("socket").copy(address.sun_path, sizeof address.sun_path - 1);
  const auto* generic = reinterpret_cast<const sockaddr*>(&address);
  EXPECT_EQ(errno_of(::bind(server.get(), generic, sizeof address)), 0);
  EXPECT_EQ(errno_of(::listen(server.get(), 1)), 0);
  EXPECT_EQ(errno_of(::connect(client.get(), generic, sizeof address)), 0);
  EXPECT_EQ(errno_of(::bind(client.get(), generic, sizeof address)), EADDRINUSE);
  std::filesystem::current_path(before);
  EXPECT_TRUE(S_ISSOCK(stat_of(at("socket")).st_mode));
}

TEST_F(LinksTest, device_nodes_work_for_root) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  ASSERT_EQ(::mknod(at("null").c_str(), S_IFCHR | 0666, ::makedev(1, 3)), 0);
  ASSERT_EQ(::mknod(at("big").c_str(), S_IFBLK | 0600, ::makedev(259, 1'000'000)), 0);
  EXPECT_EQ(stat_of(at("null")).st_rdev, ::makedev(1, 3));
  EXPECT_EQ(stat_of(at("big")).st_rdev, ::makedev(259, 1'000'000));
  EXPECT_TRUE(S_ISBLK(stat_of(at("big")).st_mode));
  put(at("null"), "gone");
  EXPECT_EQ(get(at("null")), "");
}

TEST_F(LinksTest, mknod_makes_regular_files_too) {
  ASSERT_EQ(::mknod(at("file").c_str(), S_IFREG | 0640, 0), 0);
  EXPECT_EQ(stat_of(at("file")).st_mode, static_cast<mode_t>(S_IFREG | 0640));
  EXPECT_EQ(errno_of(::mknod(at("file").c_str(), S_IFREG | 0640, 0)), EEXIST);
}

}  // namespace
}  // namespace tusk::test
