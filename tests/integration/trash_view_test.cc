// .tusk/trash: moved out of it, things are what they were; removed in it, they are gone.
#include <sys/stat.h>

#include <cerrno>
#include <cstdio>
#include <thread>

#include "support/past_fixture.h"

namespace tusk::test {
namespace {

class TrashView : public PastFixture {
 protected:
  int move(const Path& from, const Path& to) {
    return errno_of(::rename(from.c_str(), to.c_str()));
  }
  int unlink(const Path& path) { return errno_of(::unlink(path.c_str())); }
  std::int64_t count(const std::string& query) {
    return std::stoll(Sql(mount_->dsn()).value(query));
  }
};

TEST_F(TrashView, a_file_moved_out_of_the_trash_has_its_versions_again) {
  put_synced("file", "one");
  put_synced("file", "two");
  ::chmod(at("file").c_str(), 0640);
  ::setxattr(at("file").c_str(), "user.note", "mine", 4, 0);
  settle();
  const auto before = count("select count(*) from tusk.files");
  ASSERT_EQ(::unlink(at("file").c_str()), 0);
  settle();
  ASSERT_EQ(move(trashed("file"), at("back")), 0);
  EXPECT_EQ(get(at("back")), "two");
  EXPECT_EQ(permissions_of(at("back")), mode_t{0640});
  EXPECT_EQ(xattr(at("back"), "user.note"), "mine");
  EXPECT_EQ(names_in(past("trash")).size(), 0u);
  EXPECT_EQ(contents("back"), (std::vector<std::string>{"one", "two"}));
  EXPECT_EQ(count("select count(*) from tusk.files"), before);
  put_synced("back", "three");
  EXPECT_EQ(contents("back"), (std::vector<std::string>{"one", "two", "three"}));
  mount_->unmount();
  mount_->mount();
  EXPECT_EQ(get(at("back")), "three");
  EXPECT_EQ(names_in(mount_->path()), std::vector<std::string>{"back"});
}

TEST_F(TrashView, a_folder_comes_back_whole) {
  ASSERT_EQ(::mkdir(at("d").c_str(), 0750), 0);
  ASSERT_EQ(::mkdir(at("d/sub").c_str(), 0755), 0);
  put_synced("d/file", "content");
  put(at("d/sub/deep"), std::string(2'000'000, 'x'));
  ASSERT_EQ(::link(at("d/file").c_str(), at("d/sub/also").c_str()), 0);
  ASSERT_EQ(::symlink("file", at("d/link").c_str()), 0);
  put_synced("d/file", "content two");
  const struct stat was = stat_of(at("d/file"));
  std::filesystem::remove_all(at("d"));
  settle();
  ASSERT_EQ(move(trashed("d"), at("e")), 0);
  EXPECT_EQ(names_in(at("e")), (std::vector<std::string>{"file", "link", "sub"}));
  EXPECT_EQ(permissions_of(at("e")), mode_t{0750});
  EXPECT_EQ(stat_of(at("e")).st_nlink, 3u);
  EXPECT_EQ(get(at("e/file")), "content two");
  EXPECT_EQ(get(at("e/link")), "content two");
  EXPECT_TRUE(get(at("e/sub/deep")) == std::string(2'000'000, 'x'));
  EXPECT_EQ(stat_of(at("e/file")).st_nlink, 2u);
  EXPECT_EQ(stat_of(at("e/file")).st_ino, stat_of(at("e/sub/also")).st_ino);
  EXPECT_EQ(stat_of(at("e/file")).st_mtim.tv_nsec, was.st_mtim.tv_nsec);
  EXPECT_EQ(contents("e/file"), (std::vector<std::string>{"content", "content two"}));
  EXPECT_EQ(names_in(past("trash")).size(), 0u);
  // And it is the tree's again in every way.
  put(at("e/sub/new"), "new");
  std::filesystem::remove_all(at("e"));
  settle();
  EXPECT_EQ(names_in(past("trash")).size(), 1u);
}

TEST_F(TrashView, what_is_restored_was_away_meanwhile) {
  put_synced("file", "x");
  const Path there = now();
  ASSERT_EQ(::unlink(at("file").c_str()), 0);
  settle();
  const Path gone = now();
  ASSERT_EQ(move(trashed("file"), at("file")), 0);
  settle();
  const Path again = now();
  EXPECT_EQ(names_in(there), std::vector<std::string>{"file"});
  EXPECT_EQ(names_in(gone), std::vector<std::string>{});
  EXPECT_EQ(names_in(again), std::vector<std::string>{"file"});
}

TEST_F(TrashView, a_part_of_a_deleted_folder_can_be_taken_out) {
  ASSERT_EQ(::mkdir(at("d").c_str(), 0755), 0);
  put(at("d/a"), "a");
  put_synced("d/b", "b");
  std::filesystem::remove_all(at("d"));
  settle();
  ASSERT_EQ(move(trashed("d") / "a", at("a")), 0);
  EXPECT_EQ(get(at("a")), "a");
  EXPECT_EQ(names_in(trashed("d")), std::vector<std::string>{"b"});
  ASSERT_EQ(move(trashed("d"), at("d")), 0);
  EXPECT_EQ(names_in(at("d")), std::vector<std::string>{"b"});
}

TEST_F(TrashView, mv_of_the_shell_restores) {
  put_synced("file", "x");
  ASSERT_EQ(::unlink(at("file").c_str()), 0);
  settle();
  const auto done = run({"mv", trashed("file"), at("file")});
  EXPECT_EQ(done.status, 0) << done.err;
  EXPECT_EQ(get(at("file")), "x");
  put(at("file"), "y");  // at once: it is the tree's own again
  EXPECT_EQ(get(at("file")), "y");
}

TEST_F(TrashView, rm_in_the_trash_purges) {
  ASSERT_EQ(::mkdir(at("d").c_str(), 0755), 0);
  put(at("d/a"), "a");
  put(at("b"), std::string(200'000, 'b'));
  put_synced("b", "b two");
  std::filesystem::remove_all(at("d"));
  ASSERT_EQ(::unlink(at("b").c_str()), 0);
  settle();
  EXPECT_EQ(unlink(trashed("b")), 0);
  EXPECT_EQ(count("select count(*) from tusk.files where filename = 'b'"), 0);
  EXPECT_EQ(count("select count(*) from tusk.file_versions"), 0);
  EXPECT_EQ(errno_of(::rmdir(trashed("d").c_str())), ENOTEMPTY);
  EXPECT_EQ(run({"rm", "-r", trashed("d")}).status, 0);
  EXPECT_EQ(names_in(past("trash")).size(), 0u);
  EXPECT_EQ(count("select count(*) from tusk.files"), 0);
  EXPECT_EQ(count("select count(*) from tusk.folders"), 1);
}

// Others are at work meanwhile, and take away at once what comes back.
TEST_F(TrashView, what_is_deleted_while_it_comes_back_is_deleted) {
  std::jthread remover([this](const std::stop_token& stop) {
    while (!stop.stop_requested()) ::unlink(at("back").c_str());
  });
  for (int i = 0; i < 40; i++) {
    const std::string name = "file" + std::to_string(i);
    put_synced(name, "x");
    ASSERT_EQ(::unlink(at(name).c_str()), 0);
    settle();
    const Path from = trashed(name);
    put(at("busy"), pattern(200'000, static_cast<std::uint64_t>(i)));
    ASSERT_EQ(move(from, at("back")), 0);
    ASSERT_TRUE(
        eventually([this] { return errno_of(::access(at("back").c_str(), F_OK)) == ENOENT; }));
  }
  remover.request_stop();
  remover.join();
  mount_->remount();
  EXPECT_EQ(names_in(mount_->path()), std::vector<std::string>{"busy"});
}

// The folder that it goes to is not committed yet.
TEST_F(TrashView, it_may_go_into_a_new_folder) {
  put_synced("file", "x");
  ASSERT_EQ(::unlink(at("file").c_str()), 0);
  settle();
  const Path from = trashed("file");
  ASSERT_EQ(::mkdir(at("new").c_str(), 0755), 0);
  ASSERT_EQ(move(from, at("new/file")), 0);
  EXPECT_EQ(get(at("new/file")), "x");
}

TEST_F(TrashView, gc_leaves_no_folder_of_a_deleted_tree) {
  std::filesystem::create_directories(at("a/b/c/d"));
  put_synced("a/b/c/d/file", "x");
  std::filesystem::remove_all(at("a"));
  settle();
  offline("update tusk.tenants set policy = policy || '{\"trash\": 0}'");
  run_ok({TUSKFS_BINARY, "gc", mount_->path()});
  EXPECT_EQ(count("select count(*) from tusk.files"), 0);
  EXPECT_EQ(count("select count(*) from tusk.folders"), 1);
}

TEST_F(TrashView, what_cannot_be_says_why) {
  put_synced("file", "x");
  put_synced("open", "x");
  put_synced("kept", "x");
  ASSERT_EQ(::mkdir(past("snapshots/monday").c_str(), 0755), 0);
  put_synced("live", "x");
  const Fd held = open_file(at("open"), O_RDWR);
  for (const char* name : {"file", "open", "kept"}) ASSERT_EQ(::unlink(at(name).c_str()), 0);
  settle();
  EXPECT_EQ(move(trashed("file"), at("live")), EEXIST);
  EXPECT_EQ(get(at("live")), "x");
  EXPECT_EQ(move(at("live"), past("trash/live")), EPERM);
  EXPECT_EQ(move(trashed("open"), at("open")), EBUSY);
  EXPECT_EQ(unlink(trashed("open")), EBUSY);
  EXPECT_EQ(unlink(trashed("kept")), EBUSY);  // the snapshot's
  EXPECT_EQ(move(trashed("file"), at("no/such")), ENOENT);
  EXPECT_EQ(move(past("trash/none"), at("none")), ENOENT);
  EXPECT_EQ(move(trashed("file"), past("trash/other")), EPERM);
  EXPECT_EQ(errno_of(::mkdir(past("trash/new").c_str(), 0755)), EROFS);
  EXPECT_EQ(move(trashed("file"), at("file")), 0);
}

}  // namespace
}  // namespace tusk::test
