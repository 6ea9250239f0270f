// The tree .tusk: what a mount shows of what its tree was.
#include <fcntl.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "support/past_fixture.h"

namespace tusk::test {
namespace {

class HistoryView : public PastFixture {};

using Strings = std::vector<std::string>;

TEST_F(HistoryView, dot_tusk_is_found_by_name_and_not_listed) {
  put(at("file"), "x");
  EXPECT_EQ(names_in(mount_->path()), Strings{"file"});
  EXPECT_EQ(names_in(past("")), (Strings{"at", "cache", "flags", "history", "ratelimit", "sessions",
                                         "snapshots", "stats", "trash"}));
  EXPECT_EQ(names_in(past("at")), Strings{});
  EXPECT_EQ(run_ok({"find", mount_->path()}).find(".tusk"), std::string::npos);
  run_ok({"cp", "-r", mount_->path(), mount_->folder() / "copy"});
  EXPECT_EQ(names_in(mount_->folder() / "copy"), Strings{"file"});
}

TEST_F(HistoryView, a_row_named_dot_tusk_hides_nothing) {
  offline(
      "insert into tusk.files (tenant_id, filename, mime_type, size_bytes, data) "
      "select id, '.tusk', 'text/plain', 0, 'x' from tusk.tenants");
  EXPECT_EQ(names_in(mount_->path()), Strings{});
  EXPECT_TRUE(std::filesystem::is_directory(past("")));
}

TEST_F(HistoryView, a_file_is_a_folder_of_its_versions) {
  for (const char* bytes : {"one", "two", "three"}) put_synced("file", bytes);
  EXPECT_EQ(contents("file"), (Strings{"one", "two", "three"}));
  const Path oldest = history("file") / names_in(history("file")).front();
  EXPECT_EQ(stat_of(oldest).st_size, 3);
  EXPECT_EQ(permissions_of(oldest), mode_t{0444});
  EXPECT_TRUE(oldest.filename().string().starts_with("0001@20"));
  // The latest, whether it is committed yet or not.
  put(at("file"), "four");
  EXPECT_EQ(contents("file").back(), "four");
}

TEST_F(HistoryView, an_empty_file_is_a_content_too) {
  put_synced("closed", "");
  ASSERT_EQ(::mknod(at("made").c_str(), S_IFREG | 0644, 0), 0);
  settle();
  const Path before = now();
  for (const char* name : {"closed", "made"}) {
    put_synced(name, "something");
    EXPECT_EQ(get(before / name), "");
    EXPECT_EQ(contents(name), (Strings{"", "something"}));
  }
  put_synced("whole", "at once");
  EXPECT_EQ(contents("whole"), Strings{"at once"});
}

TEST_F(HistoryView, versions_in_chunks_are_read_as_they_were) {
  const std::string first = pattern(5'000'000), second = pattern(3'000'000, 2);
  put_synced("large", first);
  {
    const Fd fd = open_file(at("large"), O_WRONLY);
    write_at(fd.get(), "edited", 4'000'000);
  }
  settle();
  std::string edited = first;
  edited.replace(4'000'000, 6, "edited");
  put_synced("large", second);
  const Strings all = contents("large");
  ASSERT_EQ(all.size(), 3u);
  EXPECT_TRUE(all[0] == first);
  EXPECT_TRUE(all[1] == edited);
  EXPECT_TRUE(all[2] == second);
  const Path oldest = history("large") / names_in(history("large")).front();
  EXPECT_TRUE(read_at(open_file(oldest, O_RDONLY).get(), 1'048'000, 2000) ==
              first.substr(1'048'000, 2000));
}

TEST_F(HistoryView, holes_are_zeros_and_damage_is_eio) {
  {
    const Fd fd = open_file(at("sparse"), O_CREAT | O_WRONLY);
    write_at(fd.get(), pattern(70'000), 3'000'000);
  }
  put_synced("sparse2", "x");
  ASSERT_EQ(::truncate(at("sparse").c_str(), 10), 0);
  put_synced("small", "small");
  put_synced("small", "other");
  EXPECT_TRUE(contents("sparse").front() == zeros(3'000'000) + pattern(70'000));
  declared_ = {"is damaged"};
  offline("update tusk.file_versions set data = 'smoll' where data = 'small'");
  const Path oldest = history("small") / names_in(history("small")).front();
  EXPECT_THROW(get(oldest), std::exception);
  EXPECT_NE(mount_->log().find("version 1 of file"), std::string::npos) << mount_->log();
}

TEST_F(HistoryView, a_rename_is_undone_in_the_past) {
  make_folder(at("folder"));
  put_synced("folder/a", "a");
  const Path before = now();
  std::filesystem::rename(at("folder/a"), at("folder/b"));
  std::filesystem::rename(at("folder"), at("moved"));
  put_synced("moved/b", "b");
  EXPECT_EQ(names_in(before), Strings{"folder"});
  EXPECT_EQ(names_in(before / "folder"), Strings{"a"});
  EXPECT_EQ(get(before / "folder/a"), "a");
  EXPECT_FALSE(present(before / "folder/b"));
  EXPECT_EQ(names_in(now() / "moved"), Strings{"b"});
  // By name: the old one ends with the rename.
  EXPECT_EQ(contents("folder/a"), Strings{"a"});
  EXPECT_EQ(contents("moved/b"), (Strings{"a", "b"}));
}

TEST_F(HistoryView, what_is_deleted_is_in_the_trash_and_in_the_past) {
  put_synced("file", "content");
  const Path before = now();
  ASSERT_EQ(::unlink(at("file").c_str()), 0);
  const Path top = trashed("file");
  EXPECT_EQ(get(top), "content");
  EXPECT_EQ(xattr(top, "user.tusk.path"), "/file");
  EXPECT_EQ(xattr(top, "user.tusk.deleted_by"), std::to_string(::getuid()));
  EXPECT_EQ("file@" + xattr(top, "user.tusk.deleted_at"), top.filename());
  EXPECT_EQ(get(before / "file"), "content");
  EXPECT_FALSE(present(now() / "file"));
  EXPECT_EQ(contents("file"), Strings{"content"});
}

TEST_F(HistoryView, files_of_one_name_show_all_their_versions) {
  put_synced("file", "first");
  ASSERT_EQ(::unlink(at("file").c_str()), 0);
  put_synced("file", "second");
  put_synced("new", "third");
  std::filesystem::rename(at("new"), at("file"));
  Strings all = contents("file");
  std::ranges::sort(all);
  EXPECT_EQ(all, (Strings{"first", "second", "third"}));
}

TEST_F(HistoryView, a_deleted_folder_is_one_entry_with_all_it_held) {
  std::filesystem::create_directories(at("folder/inner/empty"));
  put_synced("folder/file", "content");
  put_synced("folder/inner/deep", "deep");
  const Path before = now();
  std::filesystem::remove_all(at("folder"));
  EXPECT_EQ(names_in(past("trash")).size(), 1u);
  const Path top = trashed("folder");
  EXPECT_EQ(names_in(top), (Strings{"file", "inner"}));
  EXPECT_EQ(names_in(top / "inner"), (Strings{"deep", "empty"}));
  EXPECT_EQ(get(top / "inner/deep"), "deep");
  EXPECT_EQ(get(before / "folder/inner/deep"), "deep");
  EXPECT_EQ(names_in(before / "folder/inner/empty"), Strings{});
  EXPECT_EQ(contents("folder/inner/deep"), Strings{"deep"});
}

TEST_F(HistoryView, what_was_deleted_before_its_folder_stays_by_itself) {
  make_folder(at("folder"));
  put_synced("folder/early", "early");
  put_synced("folder/late", "late");
  ASSERT_EQ(::unlink(at("folder/early").c_str()), 0);
  settle();
  offline(
      "update tusk.files set deleted_at = deleted_at - interval '1 hour' where filename = "
      "'early'");
  std::filesystem::remove_all(at("folder"));
  EXPECT_EQ(names_in(trashed("folder")), Strings{"late"});
  EXPECT_EQ(xattr(trashed("early"), "user.tusk.path"), "/folder/early");
}

TEST_F(HistoryView, what_a_closed_folder_held_is_open_to_nobody_in_the_trash) {
  make_folder(at("closed"), 0700);
  put_synced("closed/file", "secret");
  ASSERT_EQ(::unlink(at("closed/file").c_str()), 0);
  EXPECT_EQ(permissions_of(trashed("file")), mode_t{0400});
}

TEST_F(HistoryView, links_and_symlinks_are_what_they_were) {
  put_synced("file", "content");
  ASSERT_EQ(::link(at("file").c_str(), at("link").c_str()), 0);
  ASSERT_EQ(::symlink("target", at("symlink").c_str()), 0);
  put_synced("other", "x");
  const Path before = now();
  ASSERT_EQ(::unlink(at("link").c_str()), 0);
  ASSERT_EQ(::unlink(at("symlink").c_str()), 0);
  EXPECT_EQ(names_in(before), (Strings{"file", "link", "other", "symlink"}));
  EXPECT_EQ(stat_of(before / "file").st_ino, stat_of(before / "link").st_ino);
  EXPECT_EQ(get(before / "link"), "content");
  EXPECT_EQ(std::filesystem::read_symlink(before / "symlink"), "target");
  EXPECT_EQ(names_in(now()), (Strings{"file", "other"}));
}

TEST_F(HistoryView, a_snapshot_is_a_folder_made_and_removed) {
  put(at("file"), "before");
  ASSERT_EQ(::mkdir(past("snapshots/one").c_str(), 0755), 0);
  ::usleep(2000);
  put(at("file"), "after");
  put(at("new"), "new");
  EXPECT_EQ(names_in(past("snapshots")), Strings{"one"});
  EXPECT_EQ(names_in(past("snapshots/one")), Strings{"file"});
  EXPECT_EQ(get(past("snapshots/one/file")), "before");
  EXPECT_EQ(errno_of(::mkdir(past("snapshots/one").c_str(), 0755)), EEXIST);
  EXPECT_EQ(errno_of(::rmdir(past("snapshots/none").c_str())), ENOENT);
  EXPECT_EQ(::rmdir(past("snapshots/one").c_str()), 0);
  EXPECT_EQ(names_in(past("snapshots")), Strings{});
  EXPECT_FALSE(present(past("snapshots/one")));
  EXPECT_EQ(errno_of(::mkdir(past("snapshots/\xff").c_str(), 0755)), EILSEQ);
  EXPECT_EQ(errno_of(::mkdir(past("snapshots/" + std::string(256, 'x')).c_str(), 0755)),
            ENAMETOOLONG);
}

TEST_F(HistoryView, what_is_no_time_of_the_tree_is_not_there) {
  put(at("file"), "x");
  for (const char* name : {"yesterday", "2026-13-01", "1999-01-01T00:00:00Z", "2200-01-01",
                           "9999-12-31T23:59:59Z", "2026-11-23T10:00:00+2", "'; --"}) {
    EXPECT_FALSE(present(past("at") / name)) << name;
  }
  const std::string utc = now().filename();
  EXPECT_EQ(names_in(past("at/" + utc.substr(0, utc.size() - 1) + "+00:00")), Strings{"file"});
}

// A mount of the same tree as of a moment, in a folder of its own.
class PastMount {
 public:
  PastMount(const Mount& present, const std::string& at) {
    run_ok({TUSKFS_BINARY, "mount", "--data-dir", present.data_dir().string(), "--at", at,
            folder_.path().string()});
  }
  PastMount(const PastMount&) = delete;
  PastMount& operator=(const PastMount&) = delete;
  ~PastMount() { run({TUSKFS_BINARY, "umount", path().string()}); }
  const Path& path() const { return folder_.path(); }

 private:
  TempFolder folder_;
};

TEST_F(HistoryView, a_moment_can_be_mounted_beside_the_present) {
  std::filesystem::create_directories(at("dir/sub"));
  put_synced("dir/file", "then");
  put_synced("dir/sub/large", pattern(12'000'000));
  put_synced("gone", "was here");
  ASSERT_EQ(::setxattr(at("dir/file").c_str(), "user.key", "value", 5, 0), 0);
  settle();
  const std::string then = now().filename();
  run_ok({TUSKFS_BINARY, "snapshot", "create", "monday", mount_->path().string()});
  put_synced("dir/file", "now");
  std::filesystem::rename(at("dir/sub"), at("elsewhere"));
  std::filesystem::remove(at("gone"));
  settle();
  for (const std::string& moment : {then, std::string("monday")}) {
    const PastMount was(*mount_, moment);
    EXPECT_EQ(names_in(was.path()), (std::vector<std::string>{"dir", "gone"})) << moment;
    EXPECT_EQ(get(was.path() / "dir/file"), "then");
    EXPECT_EQ(get(was.path() / "gone"), "was here");
    EXPECT_TRUE(get(was.path() / "dir/sub/large") == pattern(12'000'000));
    EXPECT_EQ(errno_of_open(was.path() / "new", O_WRONLY | O_CREAT), EROFS);
    EXPECT_EQ(::mkdir((was.path() / "new").c_str(), 0755), -1);
    EXPECT_EQ(errno, EROFS);
    EXPECT_EQ(get(at("dir/file")), "now") << "the present goes on";
    put_synced("dir/file", "now");
  }
}

TEST_F(HistoryView, a_mounted_moment_outlives_the_mount_of_the_present) {
  put_synced("file", "then");
  const std::string then = now().filename();
  put_synced("file", "now");
  const PastMount was(*mount_, then);
  mount_->remount();
  EXPECT_EQ(get(was.path() / "file"), "then");
  EXPECT_EQ(get(at("file")), "now");
  const std::string status = run_ok({TUSKFS_BINARY, "status", "--json", was.path().string()});
  EXPECT_NE(status.find("\"at\": \"" + then), std::string::npos) << status;
}

TEST_F(HistoryView, what_is_no_moment_is_not_mounted) {
  const TempFolder folder;
  const std::pair<const char*, const char*> wrong[] = {{"2222-01-01", "is in the future"},
                                                       {"1999-01-01", "was not there yet"},
                                                       {"sunday", "neither a time nor a snapshot"}};
  for (const auto& [moment, words] : wrong) {
    const Finished refused = run({TUSKFS_BINARY, "mount", "--data-dir", mount_->data_dir().string(),
                                  "--at", moment, folder.path().string()});
    EXPECT_EQ(refused.status, 1) << moment;
    EXPECT_NE(refused.err.find(words), std::string::npos) << refused.err;
  }
  const Finished refused =
      run({TUSKFS_BINARY, "mount", "--data-dir", mount_->data_dir().string(), "--at", "2026-01-01",
           "--objects", "/elsewhere", folder.path().string()});
  EXPECT_EQ(refused.status, 1);
  EXPECT_NE(refused.err.find("--objects is for"), std::string::npos) << refused.err;
}

TEST_F(HistoryView, the_past_cannot_be_changed) {
  put_synced("file", "content");
  const Path there = now();
  ASSERT_EQ(::unlink(at("file").c_str()), 0);
  for (const Path& folder : {past(""), past("history"), past("trash"), past("at"), there}) {
    EXPECT_EQ(errno_of(::mkdir((folder / "new").c_str(), 0755)), EROFS) << folder;
    EXPECT_EQ(errno_of_open(folder / "new", O_CREAT | O_WRONLY), EROFS) << folder;
    EXPECT_EQ(errno_of(::symlink("x", (folder / "new").c_str())), EROFS) << folder;
  }
  for (const Path& file : {there / "file", trashed("file")}) {
    EXPECT_EQ(errno_of_open(file, O_WRONLY), EROFS);
    EXPECT_EQ(errno_of_open(file, O_RDWR | O_TRUNC), EROFS);
    EXPECT_EQ(errno_of(::chmod(file.c_str(), 0600)), EROFS);
    EXPECT_EQ(errno_of(::truncate(file.c_str(), 0)), EROFS);
    EXPECT_EQ(errno_of(::setxattr(file.c_str(), "user.a", "b", 1, 0)), EROFS);
    EXPECT_EQ(errno_of(::link(file.c_str(), at("back").c_str())), EXDEV);
  }
  EXPECT_EQ(errno_of(::unlink((there / "file").c_str())), EROFS);
  EXPECT_EQ(errno_of(::rename((there / "file").c_str(), at("back").c_str())), EROFS);
  EXPECT_EQ(errno_of(::mkdir(past("").c_str(), 0755)), EEXIST);
  EXPECT_EQ(errno_of(::rmdir((mount_->path() / ".tusk").c_str())), EPERM);
  make_folder(at("folder"));
  EXPECT_EQ(errno_of(::rename(at("folder").c_str(), (mount_->path() / ".tusk").c_str())), EPERM);
  EXPECT_EQ(errno_of(::rename((mount_->path() / ".tusk").c_str(), at("x").c_str())), EPERM);
  make_folder(at("folder/.tusk"));
}

TEST_F(HistoryView, hostile_names_are_only_names) {
  const Strings names = {"'; drop table tusk.files; --",
                         "%s%n",
                         "a@b~2",
                         "new\nline",
                         "-rf",
                         "~",
                         "\\x00",
                         "\"",
                         "$1",
                         std::string(255, 'x'),
                         "\xc3\xa4\xf0\x9f\x90\x98"};
  std::string longest;
  while (longest.size() < 252) longest += "\xe2\x82\xac";
  make_folder(at("names"));
  for (const std::string& name : names) put(at("names") / name, name);
  put(at("names") / longest, longest);
  settle();
  const Path before = now();
  const Strings live = names_in(at("names"));
  std::filesystem::remove_all(at("names"));
  EXPECT_EQ(names_in(before / "names"), live);
  EXPECT_EQ(names_in(history("names")), live);
  EXPECT_EQ(names_in(trashed("names")), live);
  for (const std::string& name : live) {
    EXPECT_EQ(get(before / "names" / name), name);
    EXPECT_EQ(get(trashed("names") / name), name);
    EXPECT_EQ(contents("names/" + name), Strings{name});
  }
  put_synced(longest, "x");
  ASSERT_EQ(::unlink(at(longest).c_str()), 0);
  ASSERT_EQ(names_in(past("trash")).size(), 2u);
  for (const std::string& name : names_in(past("trash"))) EXPECT_LE(name.size(), 255u);
  EXPECT_EQ(errno_of(::access((history("\xff")).c_str(), F_OK)), EILSEQ);
}

TEST_F(HistoryView, a_walk_of_a_large_past_sees_every_name) {
  make_folder(at("many"));
  for (int i = 0; i < 3000; i++) put(at("many") / std::to_string(i), std::to_string(i));
  settle();
  const Path before = now();
  std::filesystem::remove_all(at("many"));
  EXPECT_EQ(names_in(before / "many").size(), 3000u);
  EXPECT_EQ(names_in(trashed("many")).size(), 3000u);
  run_ok({"cp", "-r", before / "many", mount_->folder() / "copy"});
  EXPECT_EQ(get(mount_->folder() / "copy/2999"), "2999");
  EXPECT_EQ(names_in(mount_->folder() / "copy").size(), 3000u);
}

}  // namespace
}  // namespace tusk::test
