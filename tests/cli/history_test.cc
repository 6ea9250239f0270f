// The verbs about what was, as a person uses them: log, cat, restore, trash, snapshot, gc.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <ctime>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "support/fs_calls.h"
#include "support/fs_fixture.h"
#include "support/fs_snapshot.h"
#include "support/fs_sql.h"
#include "support/mount.h"
#include "support/process.h"

namespace tusk::test {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

class HistoryVerbs : public OwnMountTest {
 protected:
  void SetUp() override {
    OwnMountTest::SetUp();
    if (IsSkipped()) return;
    mount_ = std::make_unique<Mount>();
    mount_->unmount();
    Sql(mount_->dsn())
        .value("update tusk.tenants set policy = '{\"version_interval\": 0}' returning name");
    mount_->mount();
  }
  void TearDown() override {
    if (mount_) expect_sound(*mount_);
  }
  Path at(const std::string& name) const { return mount_->path() / name; }
  Finished tuskfs(std::vector<std::string> args) {
    args.insert(args.begin(), TUSKFS_BINARY);
    return run(args);
  }
  std::string said(const std::vector<std::string>& args) {
    const Finished finished = tuskfs(args);
    EXPECT_EQ(finished.status, 0) << finished.err;
    return finished.out;
  }
  std::string refused(const std::vector<std::string>& args, int status = 1) {
    const Finished finished = tuskfs(args);
    EXPECT_EQ(finished.status, status) << finished.out;
    EXPECT_EQ(std::ranges::count(finished.err, '\n'), 1) << finished.err;
    return finished.err;
  }
  Json versions(const std::string& name) { return Json::parse(said({"log", "--json", at(name)})); }
  // Of a path: key, and value and where it comes from.
  Json policy(const std::string& path) {
    const Json shown = Json::parse(said({"policy", "show", "--json", path}));
    Json all;
    for (const auto& [key, told] : shown.items()) all[key] = {told.at("value"), told.at("from")};
    return all;
  }
  void put_synced(const std::string& name, const std::string& bytes) {
    put(at(name), bytes);
    ASSERT_EQ(::fsync(open_file(mount_->path(), O_RDONLY).get()), 0);
  }
  // Of now, to the millisecond; nothing else happens in that one.
  static std::string moment() {
    ::usleep(2000);
    timespec t;
    ::clock_gettime(CLOCK_REALTIME, &t);
    std::tm parts{};
    ::gmtime_r(&t.tv_sec, &parts);
    char text[64];
    std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
    ::usleep(2000);
    return std::string(text) + "." + std::to_string(1000 + t.tv_nsec / 1'000'000).substr(1) + "Z";
  }
  std::unique_ptr<Mount> mount_;
};

TEST_F(HistoryVerbs, log_and_cat_show_each_version) {
  for (const char* bytes : {"one", "two", "three"}) put_synced("file", bytes);
  const Json log = versions("file");
  ASSERT_EQ(log.size(), 3u);
  EXPECT_TRUE(log[0].at("until").is_null());
  EXPECT_EQ(log[2].at("size"), 3);
  EXPECT_EQ(log[1].at("until"), log[0].at("since"));
  EXPECT_EQ(said({"cat", at("file")}), "three");
  EXPECT_EQ(said({"cat", at("file"), "--version", log[2].at("version").dump()}), "one");
  EXPECT_EQ(said({"cat", at("file"), "--at", log[1].at("since")}), "one");
  EXPECT_NE(said({"log", at("file")}).find("present"), std::string::npos);
}

TEST_F(HistoryVerbs, restore_brings_a_version_back_and_can_be_undone) {
  put_synced("file", "one");
  ASSERT_EQ(::chmod(at("file").c_str(), 0600), 0);
  put_synced("file", "two");
  const std::string first = versions("file").back().at("version").dump();
  said({"restore", at("file"), "--version", first});
  EXPECT_EQ(get(at("file")), "one");
  const Json log = versions("file");
  ASSERT_EQ(log.size(), 3u);
  said({"restore", at("file"), "--version", log[1].at("version").dump()});
  EXPECT_EQ(get(at("file")), "two");
  said({"restore", at("file"), "--version", first, "--to", at("folder/copy")});
  EXPECT_EQ(get(at("folder/copy")), "one");
  EXPECT_NE(refused({"restore", at("file"), "--to", at("folder/copy")}).find("exists"),
            std::string::npos);
}

TEST_F(HistoryVerbs, a_deleted_tree_comes_back_whole) {
  fs::create_directories(at("tree/sub"));
  const std::string large = pattern(3'000'000), sparse(200'000, '\0');
  put_synced("tree/large", large);
  put_synced("tree/sub/small", "small");
  fs::create_symlink("../large", at("tree/sub/link"));
  { ASSERT_EQ(::ftruncate(open_file(at("tree/sparse"), O_CREAT | O_WRONLY).get(), 200'000), 0); }
  ASSERT_EQ(::chmod(at("tree/sub/small").c_str(), 0640), 0);
  ASSERT_EQ(::rename(at("tree/large").c_str(), at("tree/renamed").c_str()), 0);
  ASSERT_EQ(::fsync(open_file(mount_->path(), O_RDONLY).get()), 0);
  fs::remove_all(at("tree"));
  said({"restore", at("tree")});
  EXPECT_TRUE(get(at("tree/renamed")) == large);
  EXPECT_TRUE(get(at("tree/sparse")) == sparse);
  EXPECT_EQ(get(at("tree/sub/small")), "small");
  EXPECT_EQ(fs::read_symlink(at("tree/sub/link")), "../large");
  EXPECT_EQ(fs::status(at("tree/sub/small")).permissions(), fs::perms(0640));
  EXPECT_FALSE(fs::exists(at("tree/large")));
}

TEST_F(HistoryVerbs, what_comes_back_has_its_links_attributes_modes_and_times) {
  fs::create_directories(at("tree/sub"));
  put_synced("tree/file", "content");
  fs::create_hard_link(at("tree/file"), at("tree/sub/other"));
  ASSERT_EQ(::setxattr(at("tree/file").c_str(), "user.colour", "red", 3, 0), 0);
  ASSERT_EQ(::setxattr(at("tree/sub").c_str(), "user.colour", "blue", 4, 0), 0);
  ASSERT_EQ(::chmod(at("tree/file").c_str(), 0440), 0);
  ASSERT_EQ(::chmod(at("tree/sub").c_str(), 0710), 0);
  const timespec times[2] = {{0, UTIME_OMIT}, {1'000'000'000, 5}};
  for (const char* name : {"tree/file", "tree/sub"})
    ASSERT_EQ(::utimensat(AT_FDCWD, at(name).c_str(), times, 0), 0);
  ASSERT_EQ(::fsync(open_file(mount_->path(), O_RDONLY).get()), 0);
  const std::time_t removed = std::time(nullptr);
  fs::remove_all(at("tree"));
  const std::time_t restored = std::time(nullptr);
  said({"restore", at("tree")});
  const auto status = [&](const char* name) {
    struct stat st {};
    EXPECT_EQ(::stat(at(name).c_str(), &st), 0) << name;
    return st;
  };
  EXPECT_EQ(status("tree/file").st_ino, status("tree/sub/other").st_ino);
  EXPECT_EQ(status("tree/file").st_nlink, 2u);
  EXPECT_EQ(status("tree/file").st_mode & 07777, 0440u);
  EXPECT_EQ(status("tree/sub").st_mode & 07777, 0710u);
  EXPECT_EQ(status("tree/file").st_mtim.tv_sec, 1'000'000'000);
  EXPECT_EQ(status("tree/file").st_mtim.tv_nsec, 5);
  // As it was when it went: where what was in it went in a group before, that was its last change.
  const auto folder_time = status("tree/sub").st_mtim;
  if (folder_time.tv_sec < removed) {
    EXPECT_EQ(folder_time.tv_sec, 1'000'000'000);
    EXPECT_EQ(folder_time.tv_nsec, 5);
  } else {
    EXPECT_LE(folder_time.tv_sec, restored);
  }
  char value[8] = {};
  EXPECT_EQ(::getxattr(at("tree/file").c_str(), "user.colour", value, sizeof value), 3);
  EXPECT_EQ(std::string(value), "red");
  EXPECT_EQ(::getxattr(at("tree/sub").c_str(), "user.colour", value, sizeof value), 4);
  EXPECT_EQ(std::string(value), "blue");
}

TEST_F(HistoryVerbs, a_folder_of_a_moment_is_what_it_was_then) {
  fs::create_directory(at("folder"));
  put_synced("folder/a", "a1");
  put_synced("folder/b", "b1");
  const std::string then = moment();
  put_synced("folder/a", "a2");
  ASSERT_EQ(::unlink(at("folder/b").c_str()), 0);
  put_synced("folder/c", "c1");
  ASSERT_EQ(::rename(at("folder").c_str(), at("elsewhere").c_str()), 0);
  said({"restore", at("folder"), "--at", then, "--to", at("then")});
  EXPECT_EQ(get(at("then/a")), "a1");
  EXPECT_EQ(get(at("then/b")), "b1");
  EXPECT_FALSE(fs::exists(at("then/c")));
  EXPECT_EQ(said({"cat", at("folder/a"), "--at", then}), "a1");
}

TEST_F(HistoryVerbs, trash_tells_what_was_deleted) {
  put_synced("hostile\nname", "x");
  ASSERT_EQ(::unlink(at("hostile\nname").c_str()), 0);
  const Json trash = Json::parse(said({"trash", "--json", mount_->path()}));
  ASSERT_EQ(trash.size(), 1u);
  EXPECT_EQ(trash[0].at("path"), "/hostile\nname");
  EXPECT_EQ(trash[0].at("deleted_by"), ::getuid());
  EXPECT_EQ(said({"cat", at("hostile\nname")}), "x");
}

TEST_F(HistoryVerbs, snapshots_have_names) {
  said({"snapshot", "create", "monday", mount_->path()});
  EXPECT_NE(refused({"snapshot", "create", "monday", mount_->path()}).find("already"),
            std::string::npos);
  EXPECT_NE(refused({"snapshot", "create", "a/b", mount_->path()}).find("no name"),
            std::string::npos);
  const Json all = Json::parse(said({"snapshot", "list", "--json", mount_->path()}));
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].at("name"), "monday");
  said({"snapshot", "remove", "monday", mount_->path()});
  EXPECT_NE(refused({"snapshot", "remove", "monday", mount_->path()}).find("no snapshot"),
            std::string::npos);
}

TEST_F(HistoryVerbs, a_damaged_version_changes_nothing) {
  put_synced("file", "one");
  put_synced("file", "two");
  Sql(mount_->dsn()).run("update tusk.file_versions set data = 'oNe'");
  const std::string first = versions("file").back().at("version").dump();
  EXPECT_NE(refused({"restore", at("file"), "--version", first}).find("checksum"),
            std::string::npos);
  EXPECT_EQ(get(at("file")), "two");
}

TEST_F(HistoryVerbs, gc_removes_what_is_past_its_time) {
  put_synced("file", "x");
  ASSERT_EQ(::unlink(at("file").c_str()), 0);
  EXPECT_EQ(Json::parse(said({"gc", "--json", mount_->path()})).at("files"), 0);
  Sql(mount_->dsn()).run("update tusk.files set deleted_at = deleted_at - interval '31 days'");
  EXPECT_EQ(Json::parse(said({"gc", "--json", mount_->path()})).at("files"), 1);
  EXPECT_EQ(Json::parse(said({"trash", "--json", mount_->path()})).size(), 0u);
}

TEST_F(HistoryVerbs, what_changed_since_a_snapshot) {
  Sql(mount_->dsn()).value("update tusk.tenants set policy = '{}' returning name");
  mount_->remount();
  std::filesystem::create_directories(at("dir/sub"));
  for (const char* name : {"dir/same", "dir/edited", "dir/moved", "dir/gone", "dir/sub/below"})
    put_synced(name, "before");
  said({"snapshot", "create", "monday", mount_->path()});
  EXPECT_EQ(said({"snapshot", "diff", "monday", mount_->path()}), "");
  put_synced("dir/edited", "after");  // within the version interval
  std::filesystem::rename(at("dir/moved"), at("elsewhere"));
  std::filesystem::rename(at("dir/sub"), at("dir/renamed"));
  std::filesystem::remove(at("dir/gone"));
  put_synced("dir/added", "x");
  const Finished since = run({TUSKFS_BINARY, "snapshot", "diff", "monday", mount_->path()});
  EXPECT_EQ(since.status, 1);
  EXPECT_EQ(since.out,
            "added    /dir/added\n"
            "changed  /dir/edited\n"
            "deleted  /dir/gone\n"
            "renamed  /dir/sub/ -> /dir/renamed/\n"
            "renamed  /dir/moved -> /elsewhere\n");
  EXPECT_EQ(get(mount_->path() / ".tusk/snapshots/monday/dir/edited"), "before");
  said({"snapshot", "create", "tuesday", mount_->path()});
  put_synced("dir/edited", "later");
  const Finished between =
      run({TUSKFS_BINARY, "snapshot", "diff", "--json", "monday", "tuesday", at("dir").string()});
  EXPECT_EQ(between.status, 1);
  EXPECT_EQ(Json::parse(between.out).size(), 5u) << between.out;
  EXPECT_EQ(get(mount_->path() / ".tusk/snapshots/tuesday/dir/edited"), "after");
  mount_->remount();
  put_synced("dir/edited", "and later");
  EXPECT_EQ(get(mount_->path() / ".tusk/snapshots/monday/dir/edited"), "before");
  EXPECT_EQ(run({TUSKFS_BINARY, "snapshot", "diff", "sunday", mount_->path()}).status, 2);
}

TEST_F(HistoryVerbs, du_tells_what_is_live_past_and_deleted) {
  put_synced("file", "12345");
  put_synced("file", "123");
  put_synced("gone", "1234567");
  ASSERT_EQ(::unlink(at("gone").c_str()), 0);
  std::filesystem::create_directory(at("dir"));
  put_synced("dir/large", pattern(11'000'000));
  const Json all = Json::parse(said({"du", "--json", mount_->path()}));
  const auto part = [](std::int64_t files, std::int64_t bytes, std::int64_t held) {
    return Json{{"files", files}, {"bytes", bytes}, {"database_bytes", held}};
  };
  EXPECT_EQ(all["live"], part(2, 11'000'003, 3));
  EXPECT_EQ(all["external"], part(1, 11'000'000, 0));
  EXPECT_EQ(all["versions"], part(1, 5, 5));
  EXPECT_EQ(all["trash"], part(1, 7, 7));
  EXPECT_EQ(Json::parse(said({"du", "--json", at("dir")}))["live"], part(1, 11'000'000, 0));
  EXPECT_NE(said({"du", mount_->path()}).find("external"), std::string::npos);
}

TEST_F(HistoryVerbs, a_policy_holds_at_once_and_after_a_remount) {
  const auto shown = [&] { return policy(mount_->path()); };
  EXPECT_EQ(shown(),
            Json::parse(R"({"versions": [20, "default"], "version_age": [7776000, "default"],
                                     "version_interval": [0, "/"], "trash": [2592000, "default"],
                                     "inline_below": [1048576, "default"],
                                     "external_above": [10485760, "default"]})"));
  put_synced("file", "x");
  said({"policy", "set", mount_->path(), "trash=0", "versions=3", "version_age=2w",
        "external_above=1G"});
  ASSERT_EQ(::unlink(at("file").c_str()), 0);
  mount_->remount();
  const Json expected = Json::parse(R"({"versions": [3, "/"], "version_age": [1209600, "/"],
                                        "version_interval": [0, "/"], "trash": [0, "/"],
                                        "inline_below": [1048576, "default"],
                                        "external_above": [1073741824, "/"]})");
  EXPECT_EQ(shown(), expected);
  EXPECT_EQ(Json::parse(said({"trash", "--json", mount_->path()})).size(), 0u);
  for (const char* wrong :
       {"versions=many", "versions=-1", "versions=5d", "trash=5y", "trash=", "colour=red", "trash",
        "version_age=99999999999999999999", "inline_below=9M", "inline_below=1d", "trash=10M",
        "external_above=-1", "version_age=101000d"}) {
    EXPECT_NE(refused({"policy", "set", mount_->path(), wrong}, 2).find("is no setting"),
              std::string::npos)
        << wrong;
  }
  EXPECT_EQ(shown(), expected);
  EXPECT_NE(said({"policy", "show", mount_->path()}).find("14d"), std::string::npos);
  put_synced("other", "x");
  EXPECT_EQ(errno_of(::setxattr(at("other").c_str(), "user.tusk.policy.trash", "0", 1, 0)),
            EOPNOTSUPP);
  refused({"policy", "set", mount_->path()}, 2);
}

TEST_F(HistoryVerbs, a_folder_inherits_each_key_from_the_nearest_that_sets_it) {
  fs::create_directories(at("a/b/c"));
  said({"policy", "set", at("a"), "versions=7", "trash=2d", "inline_below=64K"});
  said({"policy", "set", at("a/b"), "trash=0", "external_above=1G"});
  const auto from = [&](const std::string& name) {
    const Json all = policy(at(name));
    return all.at("versions").dump() + all.at("trash").dump() + all.at("external_above").dump();
  };
  const std::string expected = R"([7,"/a"][0,"/a/b"][1073741824,"/a/b"])";
  EXPECT_EQ(from("a/b/c"), expected);
  put_synced("a/b/c/file", "x");
  EXPECT_EQ(from("a/b/c/file"), expected);
  mount_->remount();
  EXPECT_EQ(from("a/b/c"), expected);
  said({"policy", "unset", at("a/b"), "trash"});
  EXPECT_EQ(from("a/b/c"), R"([7,"/a"][172800,"/a"][1073741824,"/a/b"])");
  EXPECT_EQ(errno_of(::removexattr(at("a/b").c_str(), "user.tusk.policy.trash")), ENODATA);
  EXPECT_NE(refused({"policy", "unset", at("a/b"), "trash"}).find("does not set"),
            std::string::npos);
  ASSERT_EQ(::rename(at("a/b").c_str(), at("moved").c_str()), 0);
  EXPECT_EQ(from("moved/c"), R"([20,"default"][2592000,"default"][1073741824,"/moved"])");
  said({"policy", "set", mount_->path(), "versions=2"});
  said({"policy", "unset", mount_->path(), "version_interval"});
  EXPECT_EQ(from("moved/c"), R"([2,"/"][2592000,"default"][1073741824,"/moved"])");
  mount_->remount();
  EXPECT_EQ(policy(mount_->path()).at("version_interval").dump(), R"([10,"default"])");
  EXPECT_NE(said({"policy", "show", at("moved")}).find("1024M  /moved"), std::string::npos);
  EXPECT_NE(refused({"policy", "set", at("a/nothing"), "trash=0"}).find("No such file"),
            std::string::npos);
  EXPECT_NE(refused({"policy", "show", "/etc"}, 2).find("in no TuskFS mount"), std::string::npos);
}

TEST_F(HistoryVerbs, what_cannot_be_is_said_in_one_line) {
  put_synced("file", "x");
  EXPECT_NE(refused({"cat", at("file"), "--at", "tomorrow"}).find("is no time"), std::string::npos);
  EXPECT_NE(refused({"cat", at("file"), "--at", "2026-02-30"}).find("is no time"),
            std::string::npos);
  EXPECT_NE(refused({"cat", at("file"), "--at", "2001-01-01T00:00:00Z"}).find("there was no"),
            std::string::npos);
  EXPECT_NE(refused({"cat", at("file"), "--version", "77"}).find("no version 77"),
            std::string::npos);
  EXPECT_NE(refused({"log", at("never")}).find("nothing is known"), std::string::npos);
  EXPECT_NE(refused({"log", mount_->path()}).find("is a folder"), std::string::npos);
  EXPECT_NE(refused({"log", "/etc/passwd"}).find("in no TuskFS mount"), std::string::npos);
  refused({"cat", at("file"), "--at", "2026-01-01", "--version", "1"}, 2);
  refused({"snapshot", "create", mount_->path()}, 2);
}

}  // namespace
}  // namespace tusk::test
