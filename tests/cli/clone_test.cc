// tuskfs clone: what it copies, what it shares, what it refuses.
#include "tuskfs/fuse/clone.h"

#include <gtest/gtest.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <thread>

#include "support/fs_calls.h"
#include "support/fs_fixture.h"
#include "support/fs_sql.h"
#include "support/mount.h"
#include "support/process.h"

namespace tusk::test {
namespace {

namespace fs = std::filesystem;

class Clone : public OwnMountTest {
 protected:
  void SetUp() override {
    OwnMountTest::SetUp();
    if (IsSkipped()) return;
    mount_ = std::make_unique<Mount>(open_to_all());
  }
  void TearDown() override {
    if (mount_) expect_sound(*mount_, declared_);
  }
  Path at(const std::string& name) const { return mount_->path() / name; }
  Finished tuskfs(std::vector<std::string> args, std::optional<User> user = {}) {
    args.insert(args.begin(), TUSKFS_BINARY);
    return run(args, {.user = user});
  }
  void cloned(const std::string& from, const std::string& to) {
    const Finished finished = tuskfs({"clone", at(from), at(to)});
    EXPECT_EQ(finished.status, 0) << finished.err;
  }
  std::string refused(const Path& from, const Path& to, std::optional<User> user = {}) {
    const Finished finished = tuskfs({"clone", from, to}, user);
    EXPECT_EQ(finished.status, 1) << finished.out;
    EXPECT_EQ(std::ranges::count(finished.err, '\n'), 1) << finished.err;
    return finished.err;
  }
  struct stat stat_of(const std::string& name) {
    struct stat st {};
    EXPECT_EQ(::lstat(at(name).c_str(), &st), 0) << name;
    return st;
  }
  std::int64_t number(const std::string& query) { return Sql(mount_->dsn()).number(query); }
  std::unique_ptr<Mount> mount_;
  std::vector<std::string> declared_;
};

constexpr const char* kOwnBytes =
    "select coalesce(sum(octet_length(data)), 0) from tusk.file_chunks";

TEST_F(Clone, a_file_shares_its_content_until_either_changes) {
  const std::string bytes = pattern(3'000'000);
  put(at("file"), bytes);
  ASSERT_EQ(::chmod(at("file").c_str(), 0640), 0);
  ASSERT_EQ(::chown(at("file").c_str(), 1234, 4321), 0);
  ASSERT_EQ(::setxattr(at("file").c_str(), "user.colour", "red", 3, 0), 0);
  const timespec times[2] = {{1'000'000'000, 5}, {1'100'000'000, 7}};
  ASSERT_EQ(::utimensat(AT_FDCWD, at("file").c_str(), times, 0), 0);
  cloned("file", "copy");
  EXPECT_TRUE(get(at("copy")) == bytes);
  const struct stat st = stat_of("copy");
  EXPECT_EQ(st.st_mode, S_IFREG | 0640u);
  EXPECT_EQ(st.st_uid, 1234u);
  EXPECT_EQ(st.st_gid, 4321u);
  EXPECT_EQ(st.st_mtim.tv_sec, 1'100'000'000);
  EXPECT_EQ(st.st_mtim.tv_nsec, 7);
  char value[8] = {};
  EXPECT_EQ(::getxattr(at("copy").c_str(), "user.colour", value, sizeof value), 3);
  EXPECT_EQ(number(kOwnBytes), 3'000'000);
  {
    const Fd fd = open_file(at("copy"), O_WRONLY);
    ASSERT_EQ(::pwrite(fd.get(), "X", 1, 70'000), 1);
    ASSERT_EQ(::fsync(fd.get()), 0);
  }
  EXPECT_EQ(number(kOwnBytes), 3'000'000 + 65'536);
  EXPECT_TRUE(get(at("file")) == bytes);
  ASSERT_EQ(::unlink(at("file").c_str()), 0);
  mount_->remount();
  std::string changed = bytes;
  changed[70'000] = 'X';
  EXPECT_TRUE(get(at("copy")) == changed);
}

TEST_F(Clone, small_empty_and_sparse_files_are_what_they_were) {
  put(at("small"), "small");
  put(at("empty"), "");
  {
    const Fd fd = open_file(at("sparse"), O_CREAT | O_WRONLY);
    ASSERT_EQ(::pwrite(fd.get(), "end", 3, 3'000'000), 3);
  }
  for (const std::string name : {"small", "empty", "sparse"}) cloned(name, name + "2");
  mount_->remount();
  for (const std::string name : {"small", "empty", "sparse"}) {
    EXPECT_TRUE(get(at(name + "2")) == get(at(name))) << name;
    EXPECT_EQ(stat_of(name + "2").st_blocks, stat_of(name).st_blocks) << name;
  }
}

TEST_F(Clone, a_folder_comes_with_everything_below_it) {
  fs::create_directories(at("from/sub/deep"));
  put(at("from/file"), "content");
  put(at("from/sub/large"), pattern(2'000'000));
  fs::create_hard_link(at("from/sub/large"), at("from/sub/deep/linked"));
  put(at("outside"), "outside");
  fs::create_hard_link(at("outside"), at("from/first"));
  fs::create_hard_link(at("outside"), at("from/second"));
  fs::create_symlink("../file", at("from/sub/link"));
  ASSERT_EQ(::mkfifo(at("from/fifo").c_str(), 0600), 0);
  ASSERT_EQ(::chmod(at("from/sub").c_str(), 0710), 0);
  ASSERT_EQ(::setxattr(at("from/sub").c_str(), "user.tusk.policy.trash", "0", 1, 0), 0);
  put(at("from/gone"), "x");
  ASSERT_EQ(::unlink(at("from/gone").c_str()), 0);
  cloned("from", "to");
  const auto check = [&] {
    EXPECT_EQ(get(at("to/file")), "content");
    EXPECT_TRUE(get(at("to/sub/large")) == pattern(2'000'000));
    EXPECT_EQ(stat_of("to/sub/large").st_ino, stat_of("to/sub/deep/linked").st_ino);
    EXPECT_EQ(stat_of("to/sub/large").st_nlink, 2u);
    EXPECT_EQ(stat_of("to/first").st_ino, stat_of("to/second").st_ino);
    EXPECT_EQ(stat_of("to/first").st_nlink, 2u);
    EXPECT_EQ(stat_of("outside").st_nlink, 3u);
    EXPECT_EQ(fs::read_symlink(at("to/sub/link")), "../file");
    EXPECT_TRUE(S_ISFIFO(stat_of("to/fifo").st_mode));
    EXPECT_EQ(stat_of("to/sub").st_mode, S_IFDIR | 0710u);
    EXPECT_EQ(stat_of("to").st_nlink, 3u);
    EXPECT_FALSE(fs::exists(at("to/gone")));
  };
  check();
  EXPECT_EQ(number(kOwnBytes), 2'000'000);
  mount_->remount();
  check();
  // The policy came along, and holds there and not elsewhere.
  ASSERT_EQ(::unlink(at("to/sub/link").c_str()), 0);
  ASSERT_EQ(::unlink(at("to/file").c_str()), 0);
  ASSERT_EQ(::fsync(open_file(mount_->path(), O_RDONLY).get()), 0);
  EXPECT_EQ(number("select count(*) from tusk.files where deleted_at is not null "
                   "and filename in ('link', 'file')"),
            1);
  // The original can go.
  fs::remove_all(at("from"));
  Sql(mount_->dsn())
      .value(
          "select g.files from tusk.tenants t, "
          "lateral tusk.collect_garbage(t.id, now() + '1 year') g");
  mount_->remount();
  EXPECT_TRUE(get(at("to/sub/large")) == pattern(2'000'000));
}

TEST_F(Clone, what_was_just_written_is_in_it_and_what_follows_is_not) {
  ASSERT_EQ(::mkdir(at("from").c_str(), 0755), 0);
  const Fd open = open_file(at("from/open"), O_CREAT | O_WRONLY);
  ASSERT_EQ(::write(open.get(), "so far", 6), 6);
  put(at("from/closed"), "1");
  cloned("from", "to");
  ASSERT_EQ(::write(open.get(), ", more", 6), 6);
  put(at("from/closed"), "2");
  put(at("from/new"), "x");
  EXPECT_EQ(get(at("to/open")), "so far");
  EXPECT_EQ(get(at("to/closed")), "1");
  EXPECT_FALSE(fs::exists(at("to/new")));
  cloned("to", "again");
  ASSERT_EQ(::rename(at("again").c_str(), at("from/again").c_str()), 0);
  EXPECT_EQ(get(at("from/again/open")), "so far");
}

TEST_F(Clone, it_is_one_moment_of_a_tree_that_is_being_written) {
  ASSERT_EQ(::mkdir(at("from").c_str(), 0755), 0);
  std::jthread writer([&](const std::stop_token& stop) {
    for (int i = 0; !stop.stop_requested(); i++) put(at("from/" + std::to_string(i)), "x");
  });
  for (int i = 0; i < 5; i++) {
    ::usleep(100'000);
    cloned("from", "to" + std::to_string(i));
  }
  writer.request_stop();
  writer.join();
  for (int i = 0; i < 5; i++) {
    int count = 0;
    for ([[maybe_unused]] const auto& entry : fs::directory_iterator(at("to" + std::to_string(i))))
      count++;
    ASSERT_GT(count, 0);
    for (int n = 0; n < count; n++)
      ASSERT_TRUE(fs::exists(at("to" + std::to_string(i) + "/" + std::to_string(n)))) << n;
  }
}

TEST_F(Clone, the_clone_survives_a_killed_driver_and_is_counted) {
  fs::create_directories(at("from/sub"));
  put(at("from/sub/file"), "content");
  cloned("from", "to");
  mount_->kill9();
  mount_->mount();
  EXPECT_EQ(get(at("to/sub/file")), "content");
  EXPECT_EQ(number("select files from tusk.mounts"), 2);
  EXPECT_EQ(number("select folders from tusk.mounts"), 5);
  EXPECT_EQ(number("select bytes from tusk.mounts"), 14);
}

TEST_F(Clone, what_cannot_be_cloned_is_refused_and_leaves_nothing) {
  ASSERT_EQ(::mkdir(at("folder").c_str(), 0755), 0);
  put(at("folder/file"), "x");
  put(at("other"), "y");
  fs::create_symlink("other", at("link"));
  EXPECT_NE(refused(at("folder"), at("other")).find("File exists"), std::string::npos);
  EXPECT_NE(refused(at("other"), at("folder")).find("File exists"), std::string::npos);
  EXPECT_NE(refused(at("folder"), at("folder/in")).find("lies in"), std::string::npos);
  EXPECT_NE(refused(mount_->path(), at("in")).find("lies in"), std::string::npos);
  EXPECT_NE(refused(at("nothing"), at("new")).find("No such file"), std::string::npos);
  EXPECT_NE(refused(at("other"), at("no/new")).find("No such file"), std::string::npos);
  EXPECT_NE(refused(at("link"), at("new")).find("neither a file nor a folder"), std::string::npos);
  EXPECT_NE(refused("/etc/passwd", at("new")).find("in no TuskFS mount"), std::string::npos);
  EXPECT_NE(refused(at("other"), "/tmp/new").find("in no TuskFS mount"), std::string::npos);
  EXPECT_NE(refused(at(".tusk/trash"), at("new")).find(".tusk"), std::string::npos);
  EXPECT_FALSE(fs::exists(at("new")));
  EXPECT_EQ(tuskfs({"clone", at("other")}).status, 2);
  const auto direct = [&](const std::string& from, const std::string& to) {
    std::uint64_t ino = stat_of(from).st_ino;
    const Fd fd = open_file(at(to), O_RDONLY);
    return errno_of(::ioctl(fd.get(), fuse::kCloneFrom, &ino));
  };
  ASSERT_EQ(::mkdir(at("empty").c_str(), 0755), 0);
  ASSERT_EQ(::mkdir(at("folder/empty").c_str(), 0755), 0);
  put(at("none"), "");
  EXPECT_EQ(direct("empty", "folder"), ENOTEMPTY);
  EXPECT_EQ(direct("none", "other"), ENOTEMPTY);
  EXPECT_EQ(direct("other", "empty"), EISDIR);
  EXPECT_EQ(direct("folder", "none"), ENOTDIR);
  EXPECT_EQ(direct("folder", "folder/empty"), EINVAL);
  EXPECT_EQ(direct("link", "none"), EINVAL);
  EXPECT_EQ(direct(".tusk", "empty"), EXDEV);
  EXPECT_EQ(direct("empty", ".tusk"), EROFS);
  std::uint64_t never = 123456789;
  EXPECT_EQ(errno_of(::ioctl(open_file(at("none"), O_RDONLY).get(), fuse::kCloneFrom, &never)),
            ESTALE);
}

TEST_F(Clone, what_the_database_refuses_is_an_error_and_the_mount_goes_on) {
  ASSERT_EQ(::mkdir(at("from").c_str(), 0755), 0);
  put(at("from/refused"), "x");
  put(at("from/file"), "y");
  cloned("from/file", "before");
  Sql(mount_->dsn())
      .run(
          "create function public.refuse() returns trigger language plpgsql as "
          "$$ begin raise exception 'not this one' using errcode = 'check_violation'; end $$; "
          "create trigger refuse before insert or update on tusk.files for each row "
          "when (new.filename = 'refused') execute function public.refuse()");
  EXPECT_NE(refused(at("from"), at("to")).find("Input/output error"), std::string::npos);
  EXPECT_NE(refused(at("from/file"), at("refused")).find("Input/output error"), std::string::npos);
  cloned("from/file", "after");
  EXPECT_EQ(get(at("after")), "y");
  mount_->remount();
  EXPECT_EQ(::rmdir(at("to").c_str()), 0);  // is as it was made
  declared_ = {"not this one", "is refused"};
}

TEST_F(Clone, who_is_not_root_may_clone_only_what_is_all_theirs) {
  if (::getuid() != 0) GTEST_SKIP() << "needs root";
  const User user{.uid = 1000, .gid = 1000};
  ASSERT_EQ(::chmod(mount_->path().c_str(), 0777), 0);
  fs::create_directories(at("mine/sub"));
  put(at("mine/sub/file"), "x");
  for (const char* name : {"mine", "mine/sub", "mine/sub/file"})
    ASSERT_EQ(::chown(at(name).c_str(), 1000, 1000), 0);
  EXPECT_EQ(tuskfs({"clone", at("mine"), at("copy")}, user).status, 0);
  EXPECT_EQ(get(at("copy/sub/file")), "x");
  put(at("secret"), "root's");
  ASSERT_EQ(::chmod(at("secret").c_str(), 0600), 0);
  EXPECT_NE(refused(at("secret"), at("copied"), user).find("not yours"), std::string::npos);
  fs::create_hard_link(at("secret"), at("mine/sub/linked"));
  EXPECT_NE(refused(at("mine"), at("copy2"), user).find("not yours"), std::string::npos);
  ASSERT_EQ(::unlink(at("mine/sub/linked").c_str()), 0);
  ASSERT_EQ(::chown(at("mine/sub").c_str(), 0, 0), 0);
  EXPECT_NE(refused(at("mine"), at("copy2"), user).find("not yours"), std::string::npos);
  EXPECT_FALSE(fs::exists(at("copy2")));
  EXPECT_FALSE(fs::exists(at("copied")));
}

TEST_F(Clone, it_takes_a_handful_of_statements_whatever_its_size) {
  fs::create_directory(at("from"));
  for (int i = 0; i < 2000; i++) put(at("from/" + std::to_string(i)), "x");
  ASSERT_EQ(::fsync(open_file(mount_->path(), O_RDONLY).get()), 0);
  const auto calls = [&] {
    const Finished status = tuskfs({"status", "--json"});
    const std::size_t found = status.out.find("\"statements\"");
    return found == std::string::npos ? -1 : std::stoll(status.out.substr(found + 14));
  };
  const auto before = calls();
  cloned("from", "to");
  // Begin, folder rows, the clone, its usage, … of two or three groups, whatever their size.
  EXPECT_LT(calls() - before, 40) << before;
}

}  // namespace
}  // namespace tusk::test
