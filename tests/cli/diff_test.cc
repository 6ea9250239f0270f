// tuskfs diff, snapshot diff, what log says of the causes, and du.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "support/fs_calls.h"
#include "support/fs_fixture.h"
#include "support/fs_sql.h"
#include "support/mount.h"
#include "support/process.h"

namespace tusk::test {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

class Diff : public OwnMountTest {
 protected:
  void SetUp() override {
    OwnMountTest::SetUp();
    if (IsSkipped()) return;
    mount_ = std::make_unique<Mount>();
    said({"policy", "set", mount_->path(), "version_interval=0"});
  }
  void TearDown() override {
    if (mount_) expect_sound(*mount_);
  }
  Path at(const std::string& name) const { return mount_->path() / name; }
  std::string said(std::vector<std::string> args, int status = 0) {
    args.insert(args.begin(), TUSKFS_BINARY);
    const Finished finished = run(args);
    EXPECT_EQ(finished.status, status) << finished.out << finished.err;
    return status == 2 ? finished.err : finished.out;
  }
  void settle() { ASSERT_EQ(::fsync(open_file(mount_->path(), O_RDONLY).get()), 0); }
  void put_synced(const std::string& name, const std::string& bytes) {
    put(at(name), bytes);
    settle();
  }
  void snapshot(const std::string& name) {
    settle();
    ::usleep(2000);
    said({"snapshot", "create", name, mount_->path()});
    ::usleep(2000);
  }
  // "what path" or "renamed old path", one a line.
  std::string between(const std::vector<std::string>& names, int status = 1) {
    std::vector<std::string> args = {"snapshot", "diff", "--json"};
    args.insert(args.end(), names.begin(), names.end());
    args.push_back(mount_->path());
    std::string all;
    const Json rows = Json::parse(said(args, status));
    for (const Json& d : rows) {
      all += d.at("what").get<std::string>() + " ";
      if (d.contains("old_path")) all += d.at("old_path").get<std::string>() + " ";
      all += d.at("path").get<std::string>() + (d.at("folder").get<bool>() ? "/\n" : "\n");
    }
    return all;
  }
  std::unique_ptr<Mount> mount_;
};

TEST_F(Diff, of_a_text_file_it_is_a_unified_diff) {
  put_synced("file", "one\ntwo\n");
  snapshot("first");
  put_synced("file", "one\n2\n");
  put_synced("file", "one\n2\nthree\n");
  const std::string last = said({"diff", at("file")}, 1);
  EXPECT_NE(last.find("--- /file\t"), std::string::npos) << last;
  EXPECT_NE(last.find("@@ -1,2 +1,3 @@\n one\n 2\n+three\n"), std::string::npos) << last;
  const std::string all = said({"diff", at("file"), "--from", "first"}, 1);
  EXPECT_NE(all.find(" one\n-two\n+2\n+three\n"), std::string::npos) << all;
  const Json log = Json::parse(said({"log", "--json", at("file")}));
  const std::string oldest = log.back().at("version").dump(), newest = log[0].at("version").dump();
  EXPECT_EQ(said({"diff", at("file"), "--from", oldest}, 1).substr(60), all.substr(60));
  EXPECT_EQ(said({"diff", at("file"), "--from", newest, "--to", newest}), "");
  ASSERT_EQ(::unlink(at("file").c_str()), 0);
  settle();
  const std::string gone = said({"diff", at("file"), "--from", "first", "--to", newest}, 1);
  EXPECT_NE(gone.find("+three"), std::string::npos);
  put_synced("file", "new\n");
  const std::string other = said({"diff", at("file"), "--from", "first"}, 1);
  EXPECT_NE(other.find("-one\n-two\n+new\n"), std::string::npos) << other;
}

TEST_F(Diff, other_bytes_only_differ) {
  const std::string bytes = pattern(2'000'000) + std::string(1, '\0');
  put_synced("file", bytes);
  put_synced("file", std::string(1, '\0') + bytes);
  EXPECT_EQ(said({"diff", at("file")}, 1),
            "binary contents of /file differ (2000001 and 2000002 bytes)\n");
}

TEST_F(Diff, trouble_is_status_2_and_one_line) {
  put_synced("file", "x");
  ASSERT_EQ(::mkdir(at("folder").c_str(), 0755), 0);
  const auto trouble = [&](const std::vector<std::string>& args, const std::string& words) {
    const std::string line = said(args, 2);
    EXPECT_NE(line.find(words), std::string::npos) << line;
    EXPECT_EQ(std::ranges::count(line, '\n'), 1) << line;
  };
  trouble({"diff", at("file")}, "no version before");
  trouble({"diff", at("file"), "--from", "yesterday"}, "no version, snapshot or time");
  trouble({"diff", at("file"), "--from", "99"}, "no version 99");
  trouble({"diff", at("folder")}, "since when");
  trouble({"diff", at("folder"), "--from", "1"}, "folders have no versions");
  trouble({"diff", at("never")}, "nothing is known");
  trouble({"diff", at("file"), "--json"}, "--json is for folders");
  trouble({"diff", "/etc/passwd"}, "in no TuskFS mount");
  trouble({"snapshot", "diff", "never", mount_->path()}, "no snapshot 'never'");
  trouble({"snapshot", "diff", "never"}, "a name and a mounted tree");
  trouble({"diff"}, "PATH");
}

TEST_F(Diff, snapshots_differ_by_what_was_added_changed_renamed_and_deleted) {
  fs::create_directories(at("a/b"));
  fs::create_directories(at("going/down"));
  for (const char* name : {"a/same", "a/edited", "a/moved", "a/gone", "a/b/deep", "going/x",
                           "going/down/y", "twice", "a/replaced", "a/again", "linked"})
    put(at(name), name);
  put(at("large"), pattern(500'000));
  fs::create_hard_link(at("linked"), at("a/link"));
  snapshot("monday");
  EXPECT_EQ(between({"monday"}, 0), "");
  put(at("a/edited"), "other");
  ASSERT_EQ(::rename(at("a/moved").c_str(), at("a/b/here").c_str()), 0);
  ASSERT_EQ(::rename(at("twice").c_str(), at("once").c_str()), 0);
  put(at("once"), "and changed");
  ASSERT_EQ(::unlink(at("a/gone").c_str()), 0);
  fs::remove_all(at("going"));
  put(at("a/temporary"), "x");
  put(at("a/.tmp"), "another file");
  ASSERT_EQ(::rename(at("a/.tmp").c_str(), at("a/replaced").c_str()), 0);
  ASSERT_EQ(::unlink(at("a/again").c_str()), 0);
  put(at("a/again"), "a/again");
  ASSERT_EQ(::unlink(at("a/link").c_str()), 0);
  {
    const Fd fd = open_file(at("large"), O_WRONLY);
    ASSERT_EQ(::pwrite(fd.get(), "x", 1, 300'000), 1);
  }
  fs::create_directories(at("new/er"));
  put(at("new/er/file"), "x");
  ASSERT_EQ(::rename(at("a").c_str(), at("z").c_str()), 0);
  snapshot("tuesday");
  const std::string expected =
      "deleted /a/again\n"
      "deleted /a/gone\n"
      "deleted /a/link\n"
      "deleted /a/replaced\n"
      "deleted /going/\n"
      "deleted /going/down/\n"
      "deleted /going/down/y\n"
      "deleted /going/x\n"
      "changed /large\n"
      "added /new/\n"
      "added /new/er/\n"
      "added /new/er/file\n"
      "renamed /twice /once\n"
      "renamed /a /z/\n"
      "added /z/again\n"
      "renamed /a/moved /z/b/here\n"
      "changed /z/edited\n"
      "added /z/replaced\n"
      "added /z/temporary\n";
  EXPECT_EQ(between({"monday"}), expected);
  EXPECT_EQ(between({"monday", "tuesday"}), expected);
  ASSERT_EQ(::unlink(at("z/temporary").c_str()), 0);
  put(at("z/later"), "x");
  settle();
  EXPECT_EQ(between({"monday", "tuesday"}), expected);
  EXPECT_EQ(between({"tuesday"}), "added /z/later\ndeleted /z/temporary\n");
  const std::string text = said({"snapshot", "diff", "tuesday", mount_->path()}, 1);
  EXPECT_EQ(text, "added    /z/later\ndeleted  /z/temporary\n");
}

TEST_F(Diff, a_path_that_names_another_thing_of_the_same_content_is_no_difference) {
  ASSERT_EQ(::mkdir(at("folder").c_str(), 0755), 0);
  put(at("folder/kept"), "same");
  put(at("folder/saved"), "old");
  snapshot("first");
  for (const auto& [name, bytes] :
       std::vector<std::pair<std::string, std::string>>{{"kept", "same"}, {"saved", "new"}}) {
    put(at("folder/.tmp"), bytes);
    ASSERT_EQ(::rename(at("folder/.tmp").c_str(), at("folder/" + name).c_str()), 0);
  }
  settle();
  EXPECT_EQ(between({"first"}), "changed /folder/saved\n");
}

TEST_F(Diff, of_a_folder_only_what_is_below_it_counts) {
  fs::create_directories(at("one/sub"));
  fs::create_directory(at("two"));
  for (const char* name : {"one/a", "one/b", "two/c"}) put(at(name), "x");
  snapshot("first");
  put(at("two/c"), "changed");
  put(at("one/sub/new"), "x");
  ASSERT_EQ(::rename(at("one/a").c_str(), at("two/a").c_str()), 0);
  settle();
  EXPECT_EQ(said({"diff", at("one"), "--from", "first"}, 1),
            "deleted  /one/a\nadded    /one/sub/new\n");
  EXPECT_EQ(said({"diff", at("two"), "--from", "first"}, 1), "added    /two/a\nchanged  /two/c\n");
  EXPECT_EQ(said({"diff", at("one/sub"), "--from", "first", "--to", "first"}), "");
  ASSERT_EQ(::rename(at("one").c_str(), at("three").c_str()), 0);
  settle();
  EXPECT_EQ(said({"diff", at("three"), "--from", "first"}, 1),
            "deleted  /three/a\nadded    /three/sub/new\n");
}

TEST_F(Diff, log_says_what_made_each_version) {
  put_synced("file", "one");
  put_synced("file", "two");
  put_synced("file", pattern(2'000'000));
  {
    const Fd fd = open_file(at("file"), O_WRONLY);
    ASSERT_EQ(::pwrite(fd.get(), "x", 1, 1'000'000), 1);
  }
  settle();
  const Json before = Json::parse(said({"log", "--json", at("file")}));
  said({"restore", at("file"), "--version", before.back().at("version").dump()});
  ASSERT_EQ(::rename(at("file").c_str(), at("renamed").c_str()), 0);
  settle();
  ASSERT_EQ(::link(at("renamed").c_str(), at("other").c_str()), 0);
  settle();
  ASSERT_EQ(::unlink(at("other").c_str()), 0);
  settle();
  ASSERT_EQ(::unlink(at("renamed").c_str()), 0);
  settle();
  std::string all;
  const Json log = Json::parse(said({"log", "--json", at("renamed")}));
  for (const Json& line : log) all += line.at("why").get<std::string>() + " ";
  EXPECT_EQ(all, "deleted unlinked renamed restored edited overwritten overwritten created ");
  EXPECT_EQ(log[0].at("uid"), ::getuid());
  EXPECT_EQ(log[2].at("path"), "/file");
  EXPECT_EQ(log[2].at("new_path"), "/renamed");
  EXPECT_EQ(log[3].at("same_as"), before.back().at("version"));
  const std::string text = said({"log", at("renamed")});
  EXPECT_NE(text.find("renamed: /file -> /renamed"), std::string::npos) << text;
  EXPECT_NE(text.find("restored, as version"), std::string::npos) << text;
}

TEST_F(Diff, du_tells_live_versions_and_trash_apart) {
  ASSERT_EQ(::mkdir(at("folder").c_str(), 0755), 0);
  put_synced("folder/file", std::string(100, 'a'));
  put_synced("folder/file", std::string(30, 'b'));
  put_synced("folder/gone", std::string(7, 'c'));
  put_synced("folder/large", pattern(2'000'000));
  {
    const Fd fd = open_file(at("folder/large"), O_WRONLY);
    ASSERT_EQ(::pwrite(fd.get(), "x", 1, 1'000'000), 1);
  }
  put_synced("elsewhere", "12345");
  ASSERT_EQ(::unlink(at("folder/gone").c_str()), 0);
  said({"clone", at("folder/large"), at("folder/clone")});
  const auto used = [&](const Path& path) { return Json::parse(said({"du", "--json", path})); };
  const Json folder = used(at("folder"));
  EXPECT_EQ(folder.at("live"),
            Json::parse(R"({"files": 3, "bytes": 4000030, "database_bytes": 2000030})"));
  EXPECT_EQ(folder.at("versions"),
            Json::parse(R"({"files": 2, "bytes": 2000100, "database_bytes": 65636})"));
  EXPECT_EQ(folder.at("trash"), Json::parse(R"({"files": 1, "bytes": 7, "database_bytes": 7})"));
  EXPECT_EQ(folder.at("external"), Json::parse(R"({"files": 0, "bytes": 0, "database_bytes": 0})"));
  EXPECT_EQ(used(mount_->path()).at("live").at("files"), 4);
  EXPECT_EQ(used(at("elsewhere")).at("live").at("bytes"), 5);
  const std::string text = said({"du", at("folder")});
  EXPECT_NE(text.find("4000030"), std::string::npos) << text;
  fs::remove_all(at("folder"));
  EXPECT_EQ(used(mount_->path()).at("trash").at("files"), 4);
}

}  // namespace
}  // namespace tusk::test
