// Every kind of rename.
#include <stdio.h>
#include <unistd.h>

#include "support/fs_fixture.h"

namespace tusk::test {
namespace {

class RenameTest : public FsTest {
 protected:
  int move(const std::string& from, const std::string& to, unsigned flags = 0) {
    return errno_of(::renameat2(AT_FDCWD, at(from).c_str(), AT_FDCWD, at(to).c_str(), flags));
  }
};

TEST_F(RenameTest, a_file_moves_with_its_content_and_identity) {
  put(at("a"), "content");
  const ino_t ino = stat_of(at("a")).st_ino;
  make_folder(at("folder"));
  EXPECT_EQ(move("a", "folder/b"), 0);
  EXPECT_FALSE(present(at("a")));
  EXPECT_EQ(get(at("folder/b")), "content");
  EXPECT_EQ(stat_of(at("folder/b")).st_ino, ino);
}

TEST_F(RenameTest, a_file_replaces_a_file) {
  put(at("a"), "new");
  put(at("b"), "old");
  EXPECT_EQ(move("a", "b"), 0);
  EXPECT_EQ(get(at("b")), "new");
  EXPECT_EQ(names_in(dir()), std::vector<std::string>{"b"});
}

TEST_F(RenameTest, rename_over_open_file_keeps_old_content_readable) {
  put(at("a"), "new");
  put(at("b"), "old");
  const Fd old = open_file(at("b"), O_RDWR);
  EXPECT_EQ(move("a", "b"), 0);
  EXPECT_EQ(read_at(old.get(), 0, 10), "old");
  EXPECT_EQ(stat_of(old.get()).st_nlink, 0u);
  write_at(old.get(), "ghost", 0);
  EXPECT_EQ(read_at(old.get(), 0, 10), "ghost");
  EXPECT_EQ(get(at("b")), "new");
}

TEST_F(RenameTest, a_folder_moves_with_all_below) {
  make_folder(at("a"));
  make_folder(at("a/sub"));
  put(at("a/sub/file"), "deep");
  make_folder(at("other"));
  EXPECT_EQ(move("a", "other/b"), 0);
  EXPECT_EQ(get(at("other/b/sub/file")), "deep");
  EXPECT_EQ(stat_of(at("other")).st_nlink, 3u);
  EXPECT_EQ(stat_of(dir()).st_nlink, 3u);
}

TEST_F(RenameTest, parent_of_a_moved_folder_is_its_new_one) {
  make_folder(at("a"));
  make_folder(at("other"));
  EXPECT_EQ(move("a", "other/a"), 0);
  EXPECT_EQ(stat_of(at("other/a/..")).st_ino, stat_of(at("other")).st_ino);
}

TEST_F(RenameTest, a_folder_replaces_an_empty_folder_only) {
  make_folder(at("a"));
  put(at("a/file"), "");
  make_folder(at("empty"));
  make_folder(at("full"));
  put(at("full/x"), "");
  EXPECT_EQ(move("a", "full"), ENOTEMPTY);
  EXPECT_EQ(move("a", "empty"), 0);
  EXPECT_EQ(names_in(at("empty")), std::vector<std::string>{"file"});
  EXPECT_EQ(stat_of(dir()).st_nlink, 4u);
}

TEST_F(RenameTest, file_and_folder_do_not_replace_each_other) {
  put(at("file"), "");
  make_folder(at("folder"));
  EXPECT_EQ(move("file", "folder"), EISDIR);
  EXPECT_EQ(move("folder", "file"), ENOTDIR);
}

TEST_F(RenameTest, a_folder_into_itself_is_einval) {
  make_folder(at("a"));
  make_folder(at("a/b"));
  EXPECT_EQ(move("a", "a/x"), EINVAL);
  EXPECT_EQ(move("a", "a/b/x"), EINVAL);
  EXPECT_EQ(move("a/b", "a"), ENOTEMPTY);
}

TEST_F(RenameTest, onto_itself_and_onto_its_own_link_does_nothing) {
  put(at("a"), "x");
  ASSERT_EQ(::link(at("a").c_str(), at("b").c_str()), 0);
  EXPECT_EQ(move("a", "a"), 0);
  EXPECT_EQ(move("a", "b"), 0);
  EXPECT_EQ(names_in(dir()), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(stat_of(at("a")).st_nlink, 2u);
}

TEST_F(RenameTest, what_is_not_there_is_enoent) {
  EXPECT_EQ(move("no", "x"), ENOENT);
  put(at("a"), "");
  EXPECT_EQ(move("a", "no/x"), ENOENT);
  EXPECT_EQ(move("a", "a/x"), ENOTDIR);
}

TEST_F(RenameTest, noreplace_refuses_an_existing_target) {
  put(at("a"), "a");
  put(at("b"), "b");
  EXPECT_EQ(move("a", "b", RENAME_NOREPLACE), EEXIST);
  EXPECT_EQ(get(at("b")), "b");
  EXPECT_EQ(move("a", "c", RENAME_NOREPLACE), 0);
  EXPECT_EQ(get(at("c")), "a");
}

TEST_F(RenameTest, exchange_swaps_files) {
  put(at("a"), "a");
  put(at("b"), "b");
  EXPECT_EQ(move("a", "b", RENAME_EXCHANGE), 0);
  EXPECT_EQ(get(at("a")), "b");
  EXPECT_EQ(get(at("b")), "a");
  EXPECT_EQ(move("a", "no", RENAME_EXCHANGE), ENOENT);
}

TEST_F(RenameTest, exchange_swaps_a_file_and_a_full_folder) {
  make_folder(at("sub"));
  put(at("sub/a"), "a");
  make_folder(at("folder"));
  put(at("folder/x"), "x");
  EXPECT_EQ(move("sub/a", "folder", RENAME_EXCHANGE), 0);
  EXPECT_EQ(get(at("folder")), "a");
  EXPECT_EQ(get(at("sub/a/x")), "x");
  EXPECT_EQ(stat_of(at("sub")).st_nlink, 3u);
  EXPECT_EQ(stat_of(dir()).st_nlink, 3u);
}

TEST_F(RenameTest, exchange_with_an_ancestor_is_einval) {
  make_folder(at("a"));
  make_folder(at("a/b"));
  EXPECT_EQ(move("a", "a/b", RENAME_EXCHANGE), EINVAL);
  EXPECT_EQ(move("a/b", "a", RENAME_EXCHANGE), EINVAL);
}

TEST_F(RenameTest, contradicting_and_unknown_flags_are_einval) {
  put(at("a"), "");
  put(at("b"), "");
  EXPECT_EQ(move("a", "b", RENAME_NOREPLACE | RENAME_EXCHANGE), EINVAL);
  EXPECT_EQ(move("a", "b", 1u << 7), EINVAL);
}

TEST_F(RenameTest, symlinks_are_renamed_not_followed) {
  put(at("file"), "x");
  ASSERT_EQ(::symlink("file", at("link").c_str()), 0);
  EXPECT_EQ(move("link", "moved"), 0);
  EXPECT_TRUE(S_ISLNK(stat_of(at("moved")).st_mode));
  put(at("other"), "y");
  EXPECT_EQ(move("other", "moved"), 0);
  EXPECT_EQ(get(at("file")), "x");
}

TEST_F(RenameTest, chains_of_renames_in_one_moment_end_right) {
  for (int i = 0; i < 10; i++) put(at("n" + std::to_string(i)), std::to_string(i));
  EXPECT_EQ(move("n0", "spare"), 0);
  for (int i = 1; i < 10; i++)
    EXPECT_EQ(move("n" + std::to_string(i), "n" + std::to_string(i - 1)), 0);
  EXPECT_EQ(move("spare", "n9"), 0);
  for (int i = 0; i < 10; i++)
    EXPECT_EQ(get(at("n" + std::to_string(i))), std::to_string((i + 1) % 10));
}

TEST_F(RenameTest, a_name_freed_by_a_rename_can_be_used_at_once) {
  for (int i = 0; i < 100; i++) {
    put(at("new"), std::to_string(i));
    EXPECT_EQ(move("new", "current"), 0);
    ASSERT_EQ(get(at("current")), std::to_string(i));
  }
}

TEST_F(RenameTest, a_name_changes_from_file_to_folder_and_back) {
  for (int i = 0; i < 20; i++) {
    put(at("name"), "x");
    ASSERT_EQ(::unlink(at("name").c_str()), 0);
    make_folder(at("name"));
    ASSERT_EQ(::rmdir(at("name").c_str()), 0);
  }
  put(at("name"), "last");
  EXPECT_EQ(get(at("name")), "last");
}

}  // namespace
}  // namespace tusk::test
