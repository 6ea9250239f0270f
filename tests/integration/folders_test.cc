// Folders: making, listing, large ones, and lists that change while they are read.
#include <dirent.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <set>

#include "support/fs_fixture.h"

namespace tusk::test {
namespace {

class FoldersTest : public FsTest {};
using Stream = std::unique_ptr<DIR, int (*)(DIR*)>;

// Sanitizers slow the driver tenfold: $TUSKFS_TEST_LARGE_FOLDER sets fewer entries.
int large() {
  const char* text = std::getenv("TUSKFS_TEST_LARGE_FOLDER");
  return text == nullptr ? 100'000 : std::atoi(text);
}

TEST_F(FoldersTest, an_empty_folder_has_two_links_and_no_names) {
  make_folder(at("a"));
  EXPECT_EQ(stat_of(at("a")).st_nlink, 2u);
  EXPECT_TRUE(names_in(at("a")).empty());
  EXPECT_TRUE(S_ISDIR(stat_of(at("a")).st_mode));
}

TEST_F(FoldersTest, link_count_follows_the_subfolders) {
  for (int i = 0; i < 5; i++) make_folder(at("d" + std::to_string(i)));
  put(at("file"), "");
  EXPECT_EQ(stat_of(dir()).st_nlink, 7u);
  ASSERT_EQ(::rmdir(at("d0").c_str()), 0);
  EXPECT_EQ(stat_of(dir()).st_nlink, 6u);
}

TEST_F(FoldersTest, removal_refusals_have_the_right_errno) {
  make_folder(at("full"));
  put(at("full/x"), "");
  put(at("file"), "");
  EXPECT_EQ(errno_of(::rmdir(at("full").c_str())), ENOTEMPTY);
  EXPECT_EQ(errno_of(::rmdir(at("file").c_str())), ENOTDIR);
  EXPECT_EQ(errno_of(::unlink(at("full").c_str())), EISDIR);
  EXPECT_EQ(errno_of(::rmdir((at("full").string() + "/.").c_str())), EINVAL);
  EXPECT_EQ(errno_of(::rmdir((at("full").string() + "/..").c_str())), ENOTEMPTY);
  EXPECT_EQ(errno_of(::mkdir(at("file").c_str(), 0755)), EEXIST);
  EXPECT_EQ(errno_of(::mkdir(at("full").c_str(), 0755)), EEXIST);
}

TEST_F(FoldersTest, list_gives_types_and_inode_numbers_as_stat_does) {
  put(at("file"), "");
  make_folder(at("folder"));
  ASSERT_EQ(::symlink("x", at("link").c_str()), 0);
  ASSERT_EQ(::mkfifo(at("fifo").c_str(), 0644), 0);
  const Stream stream(::opendir(dir().c_str()), &::closedir);
  int seen = 0;
  while (const dirent* entry = ::readdir(stream.get())) {
    const std::string name = entry->d_name;
    if (name == "..") continue;
    const struct stat s = stat_of(name == "." ? dir() : at(name));
    EXPECT_EQ(entry->d_ino, s.st_ino) << name;
    EXPECT_EQ(entry->d_type, IFTODT(s.st_mode)) << name;
    seen++;
  }
  EXPECT_EQ(seen, 5);
}

TEST_F(FoldersTest, a_deep_path_works) {
  Path path = dir();
  for (int i = 0; i < 100; i++) make_folder(path /= "level" + std::to_string(i));
  put(path / "file", "deep");
  EXPECT_EQ(get(path / "file"), "deep");
}

TEST_F(FoldersTest, a_large_folder_is_listed_whole_and_emptied) {
  const int count = large();
  make_folder(at("large"));
  for (int i = 0; i < count; i++)
    open_file(at("large/entry-" + std::to_string(i)), O_WRONLY | O_CREAT | O_EXCL);
  const std::vector<std::string> names = names_in(at("large"));
  EXPECT_EQ(names.size(), static_cast<std::size_t>(count));
  EXPECT_EQ(std::set(names.begin(), names.end()).size(), names.size());
  for (int i = 0; i < count; i += count / 50)
    EXPECT_TRUE(present(at("large/entry-" + std::to_string(i))));
  EXPECT_FALSE(present(at("large/entry-" + std::to_string(count))));
  run_ok({"rm", "-rf", at("large")});
  EXPECT_FALSE(present(at("large")));
}

TEST_F(FoldersTest, removing_while_listing_removes_everything) {
  for (int i = 0; i < 3000; i++) put(at("f" + std::to_string(i)), "");
  const Stream stream(::opendir(dir().c_str()), &::closedir);
  int removed = 0;
  while (const dirent* entry = ::readdir(stream.get())) {
    if (entry->d_name[0] != 'f') continue;
    EXPECT_EQ(::unlinkat(::dirfd(stream.get()), entry->d_name, 0), 0) << entry->d_name;
    removed++;
  }
  EXPECT_EQ(removed, 3000);
  EXPECT_TRUE(names_in(dir()).empty());
}

TEST_F(FoldersTest, names_that_stay_are_listed_once_while_others_come_and_go) {
  for (int i = 0; i < 2000; i++) put(at("stays" + std::to_string(i)), "");
  const Stream stream(::opendir(dir().c_str()), &::closedir);
  std::multiset<std::string> seen;
  int made = 0;
  while (const dirent* entry = ::readdir(stream.get())) {
    const std::string name = entry->d_name;
    if (!name.starts_with("stays")) continue;  // each new name may be listed too
    seen.insert(name);
    if (seen.size() % 10 == 0) put(at("a-new" + std::to_string(made++)), "");
    if (made > 5 && made % 2 == 0) ::unlink(at("a-new" + std::to_string(made - 5)).c_str());
  }
  EXPECT_EQ(seen.size(), 2000u);
  EXPECT_EQ(std::set(seen.begin(), seen.end()).size(), 2000u);
}

TEST_F(FoldersTest, rewinding_shows_the_folder_anew) {
  put(at("a"), "");
  const Stream stream(::opendir(dir().c_str()), &::closedir);
  while (::readdir(stream.get()) != nullptr) {
  }
  put(at("b"), "");
  ASSERT_EQ(::unlink(at("a").c_str()), 0);
  ::rewinddir(stream.get());
  std::set<std::string> names;
  while (const dirent* entry = ::readdir(stream.get())) names.insert(entry->d_name);
  EXPECT_EQ(names, (std::set<std::string>{".", "..", "b"}));
}

TEST_F(FoldersTest, seeking_returns_to_a_told_place) {
  for (int i = 0; i < 500; i++) put(at("f" + std::to_string(i)), "");
  const Stream stream(::opendir(dir().c_str()), &::closedir);
  for (int i = 0; i < 200; i++) ASSERT_NE(::readdir(stream.get()), nullptr);
  const long place = ::telldir(stream.get());
  const std::string expected = ::readdir(stream.get())->d_name;
  while (::readdir(stream.get()) != nullptr) {
  }
  ::seekdir(stream.get(), place);
  EXPECT_EQ(::readdir(stream.get())->d_name, expected);
}

TEST_F(FoldersTest, statfs_tells_true_numbers) {
  struct statvfs s {};
  ASSERT_EQ(::statvfs(dir().c_str(), &s), 0);
  EXPECT_EQ(s.f_namemax, 255u);
  EXPECT_GT(s.f_blocks, 0u);
  EXPECT_LE(s.f_bavail, s.f_blocks);
  EXPECT_GT(s.f_bavail, 0u);
  EXPECT_GT(s.f_bsize, 0u);
}

class StatfsTest : public MountTest {};

TEST_F(StatfsTest, used_files_and_bytes_follow_what_is_made) {
  struct statvfs before {
  }, after{};
  ASSERT_EQ(::fsync(open_file(dir(), O_RDONLY).get()), 0);
  ASSERT_EQ(::statvfs(dir().c_str(), &before), 0);
  for (int i = 0; i < 10; i++) put(at("f" + std::to_string(i)), pattern(1 << 20));
  ASSERT_EQ(::fsync(open_file(dir(), O_RDONLY).get()), 0);
  ASSERT_EQ(::statvfs(dir().c_str(), &after), 0);
  EXPECT_EQ((after.f_files - after.f_ffree) - (before.f_files - before.f_ffree), 10u);
  const auto used = [](const struct statvfs& s) { return (s.f_blocks - s.f_bfree) * s.f_frsize; };
  EXPECT_GE(used(after), used(before) + (10u << 20));
}

}  // namespace
}  // namespace tusk::test
