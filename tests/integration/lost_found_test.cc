// A mount that was frozen, or cut off, past its session's death: others keep what they wrote, and
// what it has itself that conflicts is in lost+found.
#include <fcntl.h>
#include <signal.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <set>

#include "support/fs_fixture.h"
#include "support/fs_server.h"
#include "support/fs_sql.h"

namespace tusk::test {
namespace {

using namespace std::chrono_literals;

class LostFoundTest : public OwnMountTest {
 protected:
  void SetUp() override {
    OwnMountTest::SetUp();
    server_ = std::make_unique<Server>();
    for (auto* mount : {&cut_off_, &other_})
      *mount = std::make_unique<Mount>(
          MountSetup{.args = {"--db-timeout=60"}, .database = server_->conninfo()});
  }
  // Every count is exact, nothing is broken.
  void TearDown() override {
    if (!other_) return;
    for (Mount* mount : {cut_off_.get(), other_.get()})
      expect_sound(*mount, {"meanwhile", "connect", "terminat", "does not answer", "changes wait",
                            "not committed"});
    const Finished fsck = run({TUSKFS_BINARY, "fsck", server_->conninfo(), "--scrub"});
    EXPECT_EQ(fsck.status, 0) << fsck.out << fsck.err;
    EXPECT_EQ(run({TUSKFS_BINARY, "quota", "check", server_->conninfo()}).status, 0);
  }

  // Alone, one mount does what `here` says and cannot commit it; it is
  // frozen, its sessions end, the other one comes and does `there`, and it thaws.
  template <class Here, class There>
  void conflict(Here do_here, There do_there) {
    ASSERT_EQ(errno_of(::fsync(open_file(here(), O_RDONLY).get())), 0);
    ASSERT_EQ(other_->unmount().status, 0);
    const std::string driver = std::to_string(cut_off_->driver());
    ASSERT_TRUE(eventually([&] {
      return run_ok({TUSKFS_BINARY, "status", here().string(), "--json"}).find("\"alone\"") !=
             std::string::npos;
    }));
    Sql client(server_->conninfo()), lock(server_->conninfo());
    lock.run("begin");
    lock.rows("select 1 from tusk.mount_sessions where pid = $1::int8 for update", {driver});
    do_here();
    ASSERT_EQ(::kill(cut_off_->driver(), SIGSTOP), 0);
    client.rows(
        "select pg_terminate_backend(pid) from pg_stat_activity "
        "where application_name = 'tuskfs'");
    ASSERT_TRUE(eventually([&] {
      return client.number(
                 "select count(*) from pg_stat_activity where application_name = 'tuskfs'") == 0;
    }));
    lock.run("rollback");
    other_->mount();
    do_there();
    ASSERT_EQ(::kill(cut_off_->driver(), SIGCONT), 0);
  }
  Path here(const std::string& name = {}) const { return cut_off_->path() / name; }
  Path there(const std::string& name = {}) const { return other_->path() / name; }
  // The files that kept `name`, as both mounts list them.
  std::vector<Path> kept(const std::string& name) {
    std::vector<Path> found;
    if (!present(there("lost+found"))) return found;
    EXPECT_TRUE(
        eventually([&] { return names_in(here("lost+found")) == names_in(there("lost+found")); }));
    for (const std::string& each : names_in(there("lost+found")))
      if (each.starts_with(name + ".")) found.push_back(there("lost+found/" + each));
    return found;
  }
  void expect_kept(const std::string& name, const std::string& bytes) {
    ASSERT_TRUE(eventually([&] { return kept(name).size() == 1; })) << cut_off_->log();
    const Path path = kept(name).front();
    EXPECT_TRUE(get(path) == bytes);
    EXPECT_TRUE(get(here("lost+found") / path.filename()) == bytes);
    EXPECT_TRUE(logged(path.filename().string()));
  }
  bool logged(const std::string& text) const {
    return cut_off_->log().find(text) != std::string::npos;
  }

  std::unique_ptr<Server> server_;
  std::unique_ptr<Mount> cut_off_, other_;
};

TEST_F(LostFoundTest, a_small_file_that_both_wrote_is_the_others_and_this_ones_is_kept) {
  put(here("file"), "before", 0640);
  ASSERT_EQ(::setxattr(here("file").c_str(), "user.a", "b", 1, 0), 0);
  Fd open;
  conflict(
      [&] {
        open = open_file(here("file"), O_RDWR);
        write_at(open.get(), "by the frozen one", 0);
      },
      [&] { put(there("file"), "by the other one"); });
  EXPECT_EQ(errno_of(::fsync(open.get())), EIO);
  EXPECT_EQ(errno_of(::fsync(open.get())), 0);
  EXPECT_TRUE(eventually([&] { return read_at(open.get(), 0, 100) == "by the other one"; }));
  EXPECT_EQ(get(here("file")), "by the other one");
  EXPECT_EQ(get(there("file")), "by the other one");
  expect_kept("file", "by the frozen one");
  const Path path = kept("file").front();
  EXPECT_EQ(permissions_of(path), 0640u);
  char value = 0;
  EXPECT_EQ(::getxattr(path.c_str(), "user.a", &value, 1), 1);
  EXPECT_EQ(permissions_of(here("lost+found")), 0700u);
  EXPECT_EQ(stat_of(there()).st_nlink, 3u);
  EXPECT_EQ(stat_of(here()).st_nlink, 3u);
  // It goes on as if nothing had been.
  write_at(open.get(), "once more", 0);
  EXPECT_EQ(errno_of(::fsync(open.get())), 0);
  EXPECT_EQ(get(there("file")), "once moreher one");
}

TEST_F(LostFoundTest, of_a_large_file_both_keep_the_parts_that_they_wrote_and_all_others) {
  constexpr std::size_t kBytes = 3'000'000;
  std::string mine = pattern(kBytes, 1), others = mine;
  put(here("large"), mine);
  const std::string part = pattern(100'000, 2), other_part = pattern(500'000, 3);
  mine.replace(700'000, part.size(), part);
  others.replace(500'000, other_part.size(), other_part);
  Fd open;
  conflict(
      [&] {
        open = open_file(here("large"), O_WRONLY);
        write_at(open.get(), part, 700'000);
      },
      [&] {
        const Fd file = open_file(there("large"), O_WRONLY);
        write_at(file.get(), other_part, 500'000);
        ASSERT_EQ(::fsync(file.get()), 0);
      });
  EXPECT_EQ(errno_of(::fsync(open.get())), EIO);
  EXPECT_TRUE(get(there("large")) == others);
  EXPECT_TRUE(eventually([&] { return get(here("large")) == others; }));
  expect_kept("large", mine);
  // Chunks are shared, not copied.
  EXPECT_GT(Sql(server_->conninfo())
                .number("select count(*) from tusk.file_chunks where src_file_id is not null"),
            30);
}

TEST_F(LostFoundTest, a_new_file_whose_name_another_took_is_kept) {
  Fd open;
  conflict(
      [&] {
        open = open_file(here("new"), O_CREAT | O_RDWR);
        write_at(open.get(), "mine", 0);
      },
      [&] { put(there("new"), "theirs"); });
  EXPECT_EQ(errno_of(::fsync(open.get())), EIO);
  EXPECT_EQ(get(there("new")), "theirs");
  EXPECT_TRUE(eventually([&] { return get(here("new")) == "theirs"; }));
  expect_kept("new", "mine");
}

TEST_F(LostFoundTest, what_is_new_in_a_folder_that_was_removed_is_kept) {
  make_folder(here("folder"));
  conflict(
      [&] {
        put(here("folder/file"), "mine");
        make_folder(here("folder/sub"));
        put(here("folder/sub/inner"), "inner");
      },
      [&] { ASSERT_EQ(errno_of(::rmdir(there("folder").c_str())), 0); });
  expect_kept("file", "mine");
  EXPECT_TRUE(eventually([&] { return !present(here("folder")); }));
  ASSERT_EQ(kept("sub").size(), 1u);
  EXPECT_EQ(get(kept("sub").front() / "inner"), "inner");
}

TEST_F(LostFoundTest, names_at_the_limit_and_of_any_bytes_are_kept) {
  std::string name = "\n\x01 ";
  while (name.size() < 254) name += "\xc3\xa4";
  ASSERT_EQ(name.size(), 255u);
  conflict([&] { put(here(name), "mine"); }, [&] { put(there(name), "theirs"); });
  ASSERT_TRUE(eventually([&] { return present(there("lost+found")); })) << cut_off_->log();
  const auto names = names_in(there("lost+found"));
  ASSERT_EQ(names.size(), 1u);
  EXPECT_LE(names[0].size(), 255u);
  EXPECT_EQ(names[0].substr(0, 100), name.substr(0, 100));
  EXPECT_EQ(get(there("lost+found/" + names[0])), "mine");
  EXPECT_EQ(get(there(name)), "theirs");
}

// An editor's way to save: what is renamed over has changed, so the new content has no place.
TEST_F(LostFoundTest, a_rename_over_a_file_that_others_wrote_keeps_both) {
  put(here("file"), "before");
  conflict(
      [&] {
        put(here("file.tmp"), "mine");
        ASSERT_EQ(::rename(here("file.tmp").c_str(), here("file").c_str()), 0);
      },
      [&] { put(there("file"), "theirs"); });
  expect_kept("file", "mine");
  EXPECT_EQ(get(there("file")), "theirs");
  EXPECT_TRUE(eventually([&] { return get(here("file")) == "theirs"; }));
}

TEST_F(LostFoundTest, a_folder_that_others_put_something_into_is_not_removed) {
  make_folder(here("folder"));
  make_folder(here("folder/sub"));
  conflict(
      [&] {
        ASSERT_EQ(::rmdir(here("folder/sub").c_str()), 0);
        ASSERT_EQ(::rmdir(here("folder").c_str()), 0);
      },
      [&] { put(there("folder/sub/file"), "theirs"); });
  EXPECT_TRUE(eventually([&] { return present(here("folder/sub/file")); }));
  EXPECT_EQ(get(here("folder/sub/file")), "theirs");
  EXPECT_EQ(get(there("folder/sub/file")), "theirs");
  EXPECT_FALSE(present(there("lost+found")));
}

TEST_F(LostFoundTest, a_second_conflict_on_one_name_keeps_what_the_first_one_kept) {
  std::set<std::string> mine;
  for (const std::string time : {"once", "twice"}) {
    put(here("file"), "before " + time);
    Fd open;
    conflict(
        [&] {
          open = open_file(here("file"), O_WRONLY | O_TRUNC);
          write_at(open.get(), "mine " + time, 0);
        },
        [&] { put(there("file"), "theirs " + time); });
    EXPECT_EQ(errno_of(::fsync(open.get())), EIO);
    EXPECT_TRUE(eventually([&] { return get(here("file")) == "theirs " + time; }));
    EXPECT_EQ(get(there("file")), "theirs " + time);
    mine.insert("mine " + time);
  }
  ASSERT_TRUE(eventually([&] { return kept("file").size() == 2; })) << cut_off_->log();
  std::set<std::string> found;
  for (const Path& path : kept("file")) found.insert(get(path));
  EXPECT_EQ(found, mine);
}

// Each move is sound, both together would cut a ring off from the root.
TEST_F(LostFoundTest, folders_moved_into_each_other_make_no_ring) {
  for (const char* folder : {"a", "a/sub", "b", "b/sub"}) make_folder(here(folder));
  put(here("a/file"), "in a");
  put(here("b/file"), "in b");
  conflict([&] { ASSERT_EQ(::rename(here("a").c_str(), here("b/sub/a").c_str()), 0); },
           [&] { ASSERT_EQ(::rename(there("b").c_str(), there("a/sub/b").c_str()), 0); });
  ASSERT_TRUE(eventually([&] { return kept("a").size() == 1; })) << cut_off_->log();
  const Path a = kept("a").front();
  EXPECT_EQ(get(a / "file"), "in a");
  EXPECT_EQ(get(a / "sub/b/file"), "in b");
  EXPECT_EQ(get(here("lost+found") / a.filename() / "sub/b/file"), "in b");
  for (const Path& mount : {here(), there()}) {
    EXPECT_FALSE(present(mount / "a"));
    EXPECT_FALSE(present(mount / "b"));
  }
}

TEST_F(LostFoundTest, what_does_not_conflict_is_stored_where_it_is) {
  make_folder(here("folder"));
  conflict(
      [&] {
        put(here("folder/mine"), "mine");
        make_folder(here("folder/my folder"));
      },
      [&] {
        put(there("folder/theirs"), "theirs");
        make_folder(there("folder/their folder"));
      });
  const std::vector<std::string> all{"mine", "my folder", "their folder", "theirs"};
  EXPECT_TRUE(eventually([&] { return names_in(there("folder")) == all; })) << cut_off_->log();
  EXPECT_TRUE(eventually([&] { return names_in(here("folder")) == all; }));
  EXPECT_EQ(stat_of(there("folder")).st_nlink, 4u);
  EXPECT_FALSE(present(there("lost+found")));
}

}  // namespace
}  // namespace tusk::test
