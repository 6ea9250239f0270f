// Extended attributes: namespaces, flags, sizes and limits.
#include <fcntl.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "support/fs_fixture.h"

namespace tusk::test {
namespace {

class XattrTest : public FsTest {
 protected:
  void SetUp() override {
    FsTest::SetUp();
    put(at("file"), "content");
  }
  int set(const std::string& name, const std::string& value, int flags = 0,
          const std::string& file = "file") {
    return errno_of(::lsetxattr(at(file).c_str(), name.c_str(), value.data(), value.size(), flags));
  }
  std::string value(const std::string& name, const std::string& file = "file") {
    std::string buffer(70'000, '\0');
    const ssize_t n = ::lgetxattr(at(file).c_str(), name.c_str(), buffer.data(), buffer.size());
    if (n < 0) throw_errno("getxattr " + name);
    buffer.resize(static_cast<std::size_t>(n));
    return buffer;
  }
  int missing(const std::string& name, const std::string& file = "file") {
    return errno_of(::lgetxattr(at(file).c_str(), name.c_str(), nullptr, 0));
  }
  std::string list(const std::string& file = "file") {
    std::string buffer(70'000, '\0');
    const ssize_t n = ::llistxattr(at(file).c_str(), buffer.data(), buffer.size());
    if (n < 0) throw_errno("listxattr");
    buffer.resize(static_cast<std::size_t>(n));
    return buffer;
  }
};

TEST_F(XattrTest, a_value_is_read_back_to_the_byte) {
  using namespace std::string_literals;
  for (const std::string& bytes : {""s, "a"s, "nul\0inside"s, "\xff\xfe"s, pattern(2000)}) {
    ASSERT_EQ(set("user.a", bytes), 0);
    EXPECT_TRUE(value("user.a") == bytes);
  }
}

TEST_F(XattrTest, names_are_listed_and_folders_have_them_too) {
  make_folder(at("folder"));
  ASSERT_EQ(set("user.a", "1"), 0);
  ASSERT_EQ(set("user.b", "2"), 0);
  ASSERT_EQ(set("user.c", "3", 0, "folder"), 0);
  const std::string names = list();
  EXPECT_NE(names.find("user.a"), std::string::npos);
  EXPECT_NE(names.find("user.b"), std::string::npos);
  EXPECT_EQ(names.size(), 14u);
  EXPECT_EQ(value("user.c", "folder"), "3");
}

TEST_F(XattrTest, create_and_replace_flags_are_obeyed) {
  EXPECT_EQ(set("user.a", "1", XATTR_REPLACE), ENODATA);
  EXPECT_EQ(set("user.a", "1", XATTR_CREATE), 0);
  EXPECT_EQ(set("user.a", "2", XATTR_CREATE), EEXIST);
  EXPECT_EQ(set("user.a", "2", XATTR_REPLACE), 0);
  EXPECT_EQ(value("user.a"), "2");
}

TEST_F(XattrTest, what_is_not_there_is_enodata) {
  EXPECT_EQ(missing("user.no"), ENODATA);
  EXPECT_EQ(errno_of(::removexattr(at("file").c_str(), "user.no")), ENODATA);
}

TEST_F(XattrTest, removing_takes_it_away) {
  ASSERT_EQ(set("user.a", "1"), 0);
  ASSERT_EQ(::removexattr(at("file").c_str(), "user.a"), 0);
  EXPECT_EQ(missing("user.a"), ENODATA);
  EXPECT_EQ(list(), "");
}

TEST_F(XattrTest, a_buffer_too_small_is_erange) {
  ASSERT_EQ(set("user.a", "12345"), 0);
  char buffer[2];
  EXPECT_EQ(::getxattr(at("file").c_str(), "user.a", nullptr, 0), 5);
  EXPECT_EQ(errno_of(::getxattr(at("file").c_str(), "user.a", buffer, 2)), ERANGE);
  EXPECT_EQ(::listxattr(at("file").c_str(), nullptr, 0), 7);
  EXPECT_EQ(errno_of(::listxattr(at("file").c_str(), buffer, 2)), ERANGE);
}

TEST_F(XattrTest, names_and_values_beyond_the_limits_are_refused) {
  const std::string longest = "user." + std::string(250, 'n');
  EXPECT_EQ(set(longest, "x"), 0);
  EXPECT_EQ(value(longest), "x");
  EXPECT_EQ(set(longest + "n", "x"), ERANGE);
  EXPECT_EQ(set("user.", "x"), EINVAL);
  EXPECT_EQ(set("user.big", std::string(65'537, 'v')), E2BIG);
}

TEST_F(XattrTest, unknown_namespaces_are_eopnotsupp) {
  EXPECT_EQ(set("nonsense.a", "x"), EOPNOTSUPP);
  EXPECT_EQ(set("plain", "x"), EOPNOTSUPP);
}

TEST_F(XattrTest, user_attributes_are_for_files_and_folders_only) {
  ASSERT_EQ(::symlink("file", at("link").c_str()), 0);
  ASSERT_EQ(::mkfifo(at("fifo").c_str(), 0644), 0);
  EXPECT_EQ(set("user.a", "x", 0, "link"), EPERM);
  EXPECT_EQ(set("user.a", "x", 0, "fifo"), EPERM);
}

TEST_F(XattrTest, trusted_and_security_attributes_work_for_root) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  ASSERT_EQ(set("trusted.a", "t"), 0);
  ASSERT_EQ(set("security.a", "s"), 0);
  EXPECT_EQ(value("trusted.a"), "t");
  EXPECT_EQ(value("security.a"), "s");
}

TEST_F(XattrTest, trusted_attributes_are_hidden_from_ordinary_users) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  ASSERT_EQ(set("trusted.a", "t"), 0);
  ASSERT_EQ(::chmod(at("file").c_str(), 0666), 0);
  EXPECT_EQ(as_user({12001, 12001}, [&] { return missing("trusted.a"); }), ENODATA);
  EXPECT_EQ(as_user({12001, 12001}, [&] { return set("trusted.b", "x"); }), EPERM);
}

TEST_F(XattrTest, user_attributes_need_permission_on_the_file) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  ASSERT_EQ(::chmod(at("file").c_str(), 0644), 0);
  ASSERT_EQ(set("user.a", "x"), 0);
  const User stranger{12001, 12001};
  EXPECT_EQ(as_user(stranger, [&] { return value("user.a") == "x" ? 0 : 1; }), 0);
  EXPECT_EQ(as_user(stranger, [&] { return set("user.a", "y"); }), EACCES);
  ASSERT_EQ(::chmod(at("file").c_str(), 0600), 0);
  EXPECT_EQ(as_user(stranger, [&] { return missing("user.a"); }), EACCES);
}

TEST_F(XattrTest, all_links_of_a_file_share_them) {
  ASSERT_EQ(set("user.a", "x"), 0);
  ASSERT_EQ(::link(at("file").c_str(), at("hard").c_str()), 0);
  ASSERT_EQ(::unlink(at("file").c_str()), 0);
  EXPECT_EQ(value("user.a", "hard"), "x");
}

TEST_F(XattrTest, a_new_file_of_an_old_name_has_none) {
  ASSERT_EQ(set("user.a", "x"), 0);
  ASSERT_EQ(::unlink(at("file").c_str()), 0);
  put(at("file"), "new");
  EXPECT_EQ(missing("user.a"), ENODATA);
}

TEST_F(XattrTest, cp_with_preserve_takes_them_along) {
  ASSERT_EQ(set("user.a", "x"), 0);
  run_ok({"cp", "--preserve=xattr", at("file"), at("copy")});
  EXPECT_EQ(value("user.a", "copy"), "x");
}

class XattrAfterRemountTest : public MountTest {};

TEST_F(XattrAfterRemountTest, attributes_are_there_after_a_remount) {
  put(at("file"), "");
  const std::string big = pattern(30'000);
  ASSERT_EQ(::setxattr(at("file").c_str(), "user.a", "kept", 4, 0), 0);
  ASSERT_EQ(::setxattr(at("file").c_str(), "user.big", big.data(), big.size(), 0), 0);
  ASSERT_EQ(::setxattr(dir().c_str(), "user.f", "folder", 6, 0), 0);
  mount().remount();
  std::string buffer(70'000, '\0');
  EXPECT_EQ(::getxattr(at("file").c_str(), "user.a", buffer.data(), buffer.size()), 4);
  EXPECT_EQ(buffer.substr(0, 4), "kept");
  EXPECT_EQ(::getxattr(dir().c_str(), "user.f", buffer.data(), buffer.size()), 6);
  ASSERT_EQ(::getxattr(at("file").c_str(), "user.big", buffer.data(), buffer.size()), 30'000);
  EXPECT_TRUE(buffer.substr(0, 30'000) == big);
}

class CapabilityTest : public MountTest {
 protected:
  // cap_net_raw, permitted, as the kernel stores it (version 2).
  void give_capability() {
    static constexpr char kValue[20] = {0, 0, 0, 2, 0, 0x20};
    ASSERT_EQ(::setxattr(at("tool").c_str(), kName, kValue, sizeof kValue, 0), 0);
    ASSERT_EQ(::getxattr(at("tool").c_str(), kName, nullptr, 0), 20);
    // Nothing of it is in memory when the change comes.
    mount().remount();
  }
  void expect_none() {
    EXPECT_EQ(errno_of(::getxattr(at("tool").c_str(), kName, nullptr, 0)), ENODATA);
  }
  static constexpr const char* kName = "security.capability";
};

TEST_F(CapabilityTest, does_not_outlive_a_write) {
  put(at("tool"), "content");
  give_capability();
  ASSERT_EQ(::write(open_file(at("tool"), O_WRONLY).get(), "x", 1), 1);
  expect_none();
}

TEST_F(CapabilityTest, does_not_outlive_a_truncation) {
  put(at("tool"), "content");
  give_capability();
  ASSERT_EQ(::truncate(at("tool").c_str(), 3), 0);
  expect_none();
}

TEST_F(CapabilityTest, does_not_outlive_an_opening_that_truncates) {
  put(at("tool"), "content");
  give_capability();
  open_file(at("tool"), O_WRONLY | O_TRUNC);
  expect_none();
}

TEST_F(CapabilityTest, does_not_outlive_a_change_of_owner) {
  put(at("tool"), "content");
  give_capability();
  ASSERT_EQ(::chown(at("tool").c_str(), 12001, 12001), 0);
  expect_none();
}

}  // namespace
}  // namespace tusk::test
