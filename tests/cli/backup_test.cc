// tuskfs backup and restore-backup: what comes back is what was there, or a line says why not.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "support/fs_calls.h"
#include "support/fs_snapshot.h"
#include "support/fs_sql.h"
#include "support/mount.h"
#include "support/store_backends.h"

namespace tusk::test {
namespace {

void populate(const Path& root) {
  run_ok({"cp", "-r", "/usr/include/linux/netfilter", root / "headers"});
  put(root / "empty", "");
  put(root / "inline", pattern(50'000));
  put(root / "large", pattern(5'000'000));
  write_at(open_file(root / "large", O_RDWR).get(), "edited in place", 3'000'000);
  write_at(open_file(root / "sparse", O_RDWR | O_CREAT).get(), pattern(70'000), 9'000'000);
  std::filesystem::create_symlink("inline", root / "symlink");
  std::filesystem::create_hard_link(root / "inline", root / "headers" / "hard");
  if (::setxattr((root / "inline").c_str(), "user.note", "kept", 4, 0) != 0) throw_errno("xattr");
  put(root / "gone", "into the trash");
  std::filesystem::remove(root / "gone");
}

class BackupTest : public ::testing::Test {
 protected:
  static Finished tuskfs(std::vector<std::string> args) {
    args.insert(args.begin(), TUSKFS_BINARY);
    return run(args);
  }
  static void expect_done(const Finished& finished) {
    EXPECT_EQ(finished.status, 0) << finished.out << finished.err;
    EXPECT_EQ(finished.err, "");
  }
  static void expect_refused(const Finished& finished, const std::string& said) {
    EXPECT_EQ(finished.status, 1) << finished.out;
    EXPECT_EQ(std::ranges::count(finished.err, '\n'), 1) << finished.err;
    EXPECT_NE(finished.err.find(said), std::string::npos) << finished.err;
  }
  static MountSetup of(const std::string& conninfo) {
    MountSetup setup;
    setup.database = conninfo;
    return setup;
  }
  static std::string populated_database() {
    const std::string conninfo = new_database();
    Mount mount(of(conninfo));
    put(mount.path() / "file", pattern(100'000));
    EXPECT_EQ(mount.unmount().status, 0);
    return conninfo;
  }
  void back_up(const std::string& conninfo) const {
    expect_done(tuskfs({"backup", conninfo, backups_}));
  }
  nlohmann::json listed() const {
    const Finished finished = tuskfs({"backup", "--list", "--json", backups_});
    return nlohmann::json::parse(finished.out);
  }
  Path newest() const { return listed().back().at("path").get<std::string>(); }
  static Path largest_file_in(const Path& folder) {
    Path found;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder))
      if (entry.is_regular_file() && (found.empty() || entry.file_size() > file_size(found)))
        found = entry.path();
    return found;
  }

  TempFolder temp_;
  Path backups_ = temp_.path() / "backups";
};

TEST_F(BackupTest, of_a_mounted_tree_is_the_same_tree_when_restored) {
  const std::string conninfo = new_database(), other = new_database(true);
  Mount original(of(conninfo));
  populate(original.path());
  ASSERT_EQ(::fsync(open_file(original.path(), O_RDONLY).get()), 0);
  const Snapshot before = snapshot_of(original.path(), {.ctimes = true});
  back_up(conninfo);
  expect_done(tuskfs({"restore-backup", newest(), other}));
  EXPECT_EQ(tuskfs({"fsck", "--scrub", other}).status, 0);
  Mount restored(of(other));
  for (const std::string& line :
       differences(before, snapshot_of(restored.path(), {.ctimes = true})))
    ADD_FAILURE() << line;
  put(restored.path() / "new", "it can be written to");
  EXPECT_EQ(restored.unmount().status, 0);
  EXPECT_EQ(tuskfs({"fsck", "--scrub", other}).status, 0);
}

TEST_F(BackupTest, goes_from_an_embedded_cluster_into_another) {
  const Path data = temp_.path() / "data";
  Mount original;
  populate(original.path());
  const Snapshot before = snapshot_of(original.path(), {.ctimes = true});
  EXPECT_EQ(original.unmount().status, 0);
  expect_done(tuskfs({"backup", "--data-dir", original.data_dir(), backups_}));
  expect_done(tuskfs({"restore-backup", backups_, "--data-dir", data}));
  MountSetup setup;
  setup.data_dir = data;
  {
    Mount restored(setup);
    for (const std::string& line :
         differences(before, snapshot_of(restored.path(), {.ctimes = true})))
      ADD_FAILURE() << line;
  }
  stop_embedded(data);
}

// Files by inode, of those that objects of a backup are.
std::set<ino_t> inodes_in(const Path& folder) {
  std::set<ino_t> found;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    struct stat status {};
    if (entry.is_regular_file() && entry.path().filename() != "tuskfs-objects" &&
        ::stat(entry.path().c_str(), &status) == 0)
      found.insert(status.st_ino);
  }
  return found;
}

TEST_F(BackupTest, has_large_files_and_shares_them_with_the_one_before) {
  Mount original;
  const std::string one = pattern(11'000'000), two = pattern(12'345'678);
  put(original.path() / "one", one);
  put(original.path() / "two", two);
  const std::string data = original.data_dir(), objects = temp_.path() / "objects";
  ASSERT_EQ(::fsync(open_file(original.path(), O_RDONLY).get()), 0);
  expect_done(tuskfs({"backup", "--data-dir", data, backups_}));
  const std::set<ino_t> first = inodes_in(newest() / "objects");
  EXPECT_EQ(first.size(), 2u);
  EXPECT_EQ(first, inodes_in(original.data_dir() / "objects")) << "linked, not copied";

  std::filesystem::remove(original.path() / "one");
  put(original.path() / "three", pattern(13'000'000));
  ASSERT_EQ(::fsync(open_file(original.path(), O_RDONLY).get()), 0);
  expect_done(tuskfs({"backup", "--data-dir", data, backups_}));
  const std::set<ino_t> second = inodes_in(newest() / "objects");
  EXPECT_EQ(second.size(), 3u) << "what is in the trash is in the backup";
  EXPECT_TRUE(std::ranges::includes(second, first));
  expect_done(tuskfs({"backup", "--verify", backups_}));
  const Snapshot before = snapshot_of(original.path(), {.ctimes = true});
  EXPECT_EQ(original.unmount().status, 0);

  const std::string other = new_database(true);
  expect_refused(tuskfs({"restore-backup", backups_, other}), "large files");
  expect_done(tuskfs({"restore-backup", "--objects", objects, backups_, other}));
  EXPECT_EQ(tuskfs({"fsck", "--scrub", other}).status, 0);
  Mount restored(of(other));
  for (const std::string& line :
       differences(before, snapshot_of(restored.path(), {.ctimes = true})))
    ADD_FAILURE() << line;
  put(restored.path() / "four", pattern(14'000'000));
  EXPECT_EQ(restored.unmount().status, 0);
  EXPECT_EQ(inodes_in(objects).size(), 4u) << "new ones go to the new place";
  EXPECT_EQ(tuskfs({"fsck", "--scrub", other}).status, 0);
}

TEST_F(BackupTest, with_a_changed_object_is_refused_by_verify_and_restore) {
  Mount original;
  put(original.path() / "one", pattern(11'000'000));
  const std::string data = original.data_dir();
  EXPECT_EQ(original.unmount().status, 0);
  expect_done(tuskfs({"backup", "--data-dir", data, backups_}));
  const Path object = largest_file_in(newest() / "objects");
  std::filesystem::permissions(object, std::filesystem::perms::owner_all);
  write_at(open_file(object, O_RDWR).get(), "x", 5'000'000);
  expect_refused(tuskfs({"backup", "--verify", backups_}), "is damaged");
  expect_refused(tuskfs({"restore-backup", backups_, "--data-dir", temp_.path() / "new"}),
                 "is damaged");
}

TEST_F(BackupTest, while_files_are_written_is_one_moment) {
  const std::string conninfo = new_database();
  Mount mount(of(conninfo));
  populate(mount.path());
  std::atomic<bool> stop = false;
  std::jthread writer([&] {
    for (int i = 0; !stop; i++) {
      const Path folder = mount.path() / std::to_string(i);
      std::filesystem::create_directory(folder);
      put(folder / "file", pattern(i % 20 == 0 ? 3'000'000 : 100 * (i % 100)));
      std::filesystem::create_hard_link(folder / "file", folder / "second name");
      if (i % 3 == 0) std::filesystem::remove(folder / "file");
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  });
  for (int i = 0; i < 2; i++) back_up(conninfo);
  stop = true;
  writer.join();
  // Counters of the tree, link counts, chunks and names all agree; fsck looks at them.
  for (const auto& backup : listed())
    expect_done(tuskfs({"backup", "--verify", backup.at("path").get<std::string>()}));
}

TEST_F(BackupTest, has_both_or_none_of_what_one_transaction_wrote) {
  const std::string conninfo = populated_database(), other = new_database(true);
  Sql sql(conninfo);
  sql.run(
      "insert into tusk.files (tenant_id, filename, data) "
      "select id, word, '0' from tusk.tenants, unnest(array['one', 'two']) as n(word)");
  std::atomic<bool> stop = false;
  std::jthread writer([&] {
    for (int i = 0; !stop; i++) {
      const std::string data = std::to_string(i);
      sql.run("update tusk.files set data = '" + data +
              "', version = version + 1, checksum = null where filename in ('one', 'two')");
    }
  });
  back_up(conninfo);
  stop = true;
  writer.join();
  expect_done(tuskfs({"restore-backup", backups_, other}));
  EXPECT_EQ(Sql(other).number("select count(distinct data) from tusk.files where filename in "
                              "('one', 'two')"),
            1);
}

TEST_F(BackupTest, is_listed_with_time_size_and_trees) {
  back_up(populated_database());
  const auto backup = listed().at(0);
  EXPECT_EQ(backup.at("name").get<std::string>().size(), 20u);
  EXPECT_GT(backup.at("bytes"), 1'000);
  EXPECT_EQ(backup.at("trees").at("default").at("files"), 1);
  EXPECT_EQ(backup.at("trees").at("default").at("bytes"), 100'000);
  const Finished text = tuskfs({"backup", "--list", backups_});
  EXPECT_TRUE(text.out.starts_with(backup.at("name").get<std::string>())) << text.out;
}

TEST_F(BackupTest, older_ones_are_pruned) {
  const std::string conninfo = populated_database();
  for (int i = 0; i < 3; i++) back_up(conninfo);
  const auto before = listed();
  expect_done(tuskfs({"backup", "--prune", "2", backups_}));
  const auto after = listed();
  ASSERT_EQ(after.size(), 2u);
  EXPECT_EQ(after.at(0).at("name"), before.at(1).at("name"));
  EXPECT_EQ(tuskfs({"backup", "--prune", "0", backups_}).status, 2);
}

TEST_F(BackupTest, that_is_whole_is_verified_and_leaves_no_trace) {
  back_up(populated_database());
  const Path scratch = temp_.path() / "scratch";
  std::filesystem::create_directory(scratch);
  const Finished finished =
      run({TUSKFS_BINARY, "backup", "--verify", backups_}, {.env = {{"TMPDIR", scratch}}});
  expect_done(finished);
  EXPECT_TRUE(names_in(scratch).empty());
}

TEST_F(BackupTest, that_is_damaged_is_refused_by_verify_and_restore) {
  back_up(populated_database());
  const std::string other = new_database(true);
  const Path file = largest_file_in(newest());
  std::string bytes = get(file);
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
  put(file, bytes);
  expect_refused(tuskfs({"backup", "--verify", backups_}), "has changed since it was made");
  expect_refused(tuskfs({"restore-backup", backups_, other}), "has changed since it was made");
  std::filesystem::remove(file);
  expect_refused(tuskfs({"backup", "--verify", backups_}), "is damaged");
  EXPECT_EQ(Sql(other).value("select to_regnamespace('tusk') is null"), "t");
}

TEST_F(BackupTest, of_a_tree_with_wrong_content_is_refused_by_verify) {
  const std::string conninfo = populated_database();
  Sql(conninfo).run("set tusk.driver = on; update tusk.files set checksum = '0123456789abcdef'");
  back_up(conninfo);
  expect_refused(tuskfs({"backup", "--verify", backups_}), "scrub_file");
}

TEST_F(BackupTest, that_was_killed_is_not_listed_and_shows_no_password) {
  const std::string conninfo = populated_database();
  Sql sql(conninfo);
  sql.run("begin; lock table tusk.snapshots in access exclusive mode");
  Child maker({TUSKFS_BINARY, "backup", conninfo + " password=hush-hush", backups_});
  ASSERT_TRUE(eventually([&] {
    return Sql(conninfo).number(
               "select count(*) from pg_locks where relation = 'tusk.snapshots'::regclass and not "
               "granted") > 0;
  }));
  EXPECT_EQ(run({"sh", "-c",
                 "grep -l hush-hush /proc/[0-9]*/cmdline 2>/dev/null | while read f; do "
                 "tr '\\0' ' ' <$f; done | grep -v grep"})
                .out,
            "");
  EXPECT_EQ(listed().size(), 0u);
  maker.signal(SIGKILL);
  maker.wait(std::chrono::seconds(10));
  sql.run("rollback");
  EXPECT_EQ(listed().size(), 0u);
  EXPECT_EQ(std::ranges::distance(std::filesystem::directory_iterator(backups_)), 1);
  back_up(conninfo);
  EXPECT_EQ(std::ranges::distance(std::filesystem::directory_iterator(backups_)), 1);
  EXPECT_EQ(listed().size(), 1u);
}

TEST_F(BackupTest, is_not_restored_into_a_database_with_a_tree) {
  const std::string conninfo = populated_database();
  back_up(conninfo);
  expect_refused(tuskfs({"restore-backup", backups_, conninfo}), "has a schema tusk already");
  EXPECT_EQ(Sql(conninfo).number("select count(*) from tusk.files"), 1);
}

TEST_F(BackupTest, that_does_not_exist_is_one_line) {
  std::filesystem::create_directory(backups_);
  expect_refused(tuskfs({"restore-backup", backups_, "dbname=x"}), "there is no backup");
  expect_refused(tuskfs({"backup", "--verify", backups_ / "2020-01-01T00-00-00Z"}), "is no backup");
  expect_refused(tuskfs({"backup", "--list", backups_ / "none"}), "cannot read");
  expect_refused(tuskfs({"backup", new_database(true), backups_}), "no tree in the database");
  EXPECT_EQ(tuskfs({"backup", "--list", "--prune", "3", backups_}).status, 2);
}

TEST_F(BackupTest, by_the_script) {
  const Spawn spawn = {.env = {{"TUSKFS_DB", populated_database()},
                               {"TUSKFS_BACKUPS", backups_},
                               {"PATH", Path(TUSKFS_BINARY).parent_path().string() +
                                            ":/usr/local/bin:/usr/bin:/bin"}}};
  const std::string script = TUSKFS_SOURCE_DIR "/scripts/pg_backup_complete.sh";
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"dump"}, {"list"}, {"verify"}, {"prune", "--keep", "1"}}) {
    std::vector<std::string> args = {script};
    args.insert(args.end(), words.begin(), words.end());
    expect_done(run(args, spawn));
  }
  EXPECT_EQ(listed().size(), 1u);
  EXPECT_EQ(run({script}).status, 2);
}

}  // namespace
}  // namespace tusk::test
