// What the database shows, and when.
#include <signal.h>
#include <unistd.h>

#include "support/fs_fixture.h"
#include "support/fs_sql.h"

namespace tusk::test {
namespace {

class SyncTest : public MountTest {
 protected:
  std::string stored(Sql& sql, const std::string& name) {
    return sql.value("select coalesce(encode(tusk.content(tusk.resolve($1)), 'escape'), 'none')",
                     {tree_path(name)});
  }
  bool known(Sql& sql, const std::string& name) {
    return sql.value("select tusk.resolve($1) is not null", {tree_path(name)}) == "t";
  }
};

TEST_F(SyncTest, fsync_returns_once_sql_sees_the_content) {
  Sql sql(mount().dsn());
  const Fd fd = open_file(at("file"), O_RDWR | O_CREAT);
  for (int i = 0; i < 50; i++) {
    const std::string text = "round " + std::to_string(i);
    write_at(fd.get(), text, 0);
    ASSERT_EQ(i % 2 == 0 ? ::fsync(fd.get()) : ::fdatasync(fd.get()), 0);
    ASSERT_EQ(stored(sql, "file"), text);
  }
}

TEST_F(SyncTest, fsync_of_a_folder_returns_once_sql_sees_its_names) {
  Sql sql(mount().dsn());
  const Fd folder = open_file(dir(), O_RDONLY | O_DIRECTORY);
  put(at("a"), "x");
  ASSERT_EQ(::fsync(folder.get()), 0);
  EXPECT_TRUE(known(sql, "a"));
  ASSERT_EQ(::rename(at("a").c_str(), at("b").c_str()), 0);
  ASSERT_EQ(::fsync(folder.get()), 0);
  EXPECT_FALSE(known(sql, "a"));
  EXPECT_TRUE(known(sql, "b"));
  ASSERT_EQ(::unlink(at("b").c_str()), 0);
  ASSERT_EQ(::fsync(folder.get()), 0);
  EXPECT_FALSE(known(sql, "b"));
}

TEST_F(SyncTest, a_file_written_with_o_sync_is_there_after_each_write) {
  Sql sql(mount().dsn());
  const Fd fd = open_file(at("file"), O_RDWR | O_CREAT | O_SYNC);
  append_to(fd.get(), "one");
  EXPECT_EQ(stored(sql, "file"), "one");
  append_to(fd.get(), "two");
  EXPECT_EQ(stored(sql, "file"), "onetwo");
}

TEST_F(SyncTest, a_closed_file_is_seen_by_sql_without_fsync) {
  Sql sql(mount().dsn());
  put(at("file"), "closed");
  EXPECT_TRUE(eventually([&] { return known(sql, "file") && stored(sql, "file") == "closed"; }));
}

TEST_F(SyncTest, an_open_file_is_published_after_a_while) {
  Sql sql(mount().dsn());
  const Fd fd = open_file(at("file"), O_RDWR | O_CREAT);
  append_to(fd.get(), "still open");
  EXPECT_TRUE(
      eventually([&] { return known(sql, "file") && stored(sql, "file") == "still open"; }));
}

TEST_F(SyncTest, sql_never_sees_half_of_a_rewrite) {
  Sql sql(mount().dsn());
  const std::string target = tree_path("file");
  put(at("file"), std::string(200'000, '0'));
  ASSERT_EQ(::fsync(open_file(at("file"), O_RDONLY).get()), 0);
  for (char digit = '1'; digit <= '9'; digit++) {
    const Fd fd = open_file(at("file"), O_RDWR);
    for (std::uint64_t offset = 0; offset < 200'000; offset += 10'000) {
      write_at(fd.get(), std::string(10'000, digit), offset);
      if (offset % 50'000 != 0) continue;
      const std::string seen = sql.value(
          "select string_agg(distinct d, '') from regexp_split_to_table(convert_from("
          "tusk.content(tusk.resolve($1)), 'UTF8'), '') as d",
          {target});
      ASSERT_EQ(seen.size(), 1u) << "a mixture of " << seen;
    }
    ASSERT_EQ(::fsync(fd.get()), 0);
  }
}

TEST_F(SyncTest, a_readers_close_does_not_publish_what_a_writer_is_in_the_middle_of) {
  Sql sql(mount().dsn());
  put(at("file"), "old old");
  const Fd writer = open_file(at("file"), O_WRONLY);
  ASSERT_EQ(::fsync(writer.get()), 0);
  write_at(writer.get(), "new", 0);
  for (int i = 0; i < 10; i++) get(at("file"));
  put(at("other"), "x");
  ASSERT_EQ(::fsync(open_file(at("other"), O_RDONLY).get()), 0);
  EXPECT_EQ(stored(sql, "file"), "old old");
  write_at(writer.get(), " new", 3);
  ASSERT_EQ(::fsync(writer.get()), 0);
  EXPECT_EQ(stored(sql, "file"), "new new");
}

TEST_F(SyncTest, everything_is_there_after_a_clean_unmount_without_fsync) {
  const std::string big = pattern(20'000'000), edited = pattern(300'000);
  put(at("small"), "small");
  put(at("big"), big);
  put(at("edited"), edited);
  write_at(open_file(at("edited"), O_RDWR).get(), "EDIT", 150'000);
  mount().remount();
  EXPECT_EQ(get(at("small")), "small");
  EXPECT_TRUE(get(at("big")) == big);
  EXPECT_EQ(read_at(open_file(at("edited"), O_RDONLY).get(), 149'999, 6),
            edited.substr(149'999, 1) + "EDIT" + edited.substr(150'004, 1));
}

TEST_F(SyncTest, everything_synced_is_there_after_the_driver_is_killed) {
  const std::string big = pattern(5'000'000);
  put(at("big"), big);
  put(at("small"), "small");
  make_folder(at("folder"));
  ASSERT_EQ(::symlink("big", at("folder/link").c_str()), 0);
  ASSERT_EQ(::fsync(open_file(dir(), O_RDONLY).get()), 0);
  mount().kill9();
  mount().mount();
  EXPECT_TRUE(get(at("folder/../big")) == big);
  EXPECT_EQ(get(at("small")), "small");
  EXPECT_EQ(std::filesystem::read_symlink(at("folder/link")), "big");
}

TEST_F(SyncTest, signals_flush_as_unmounting_does) {
  for (const int signal : {SIGTERM, SIGINT}) {
    put(at("file"), "before signal " + std::to_string(signal));
    EXPECT_EQ(mount().stop_by(signal).status, 0);
    mount().mount();
    EXPECT_EQ(get(at("file")), "before signal " + std::to_string(signal));
  }
}

TEST_F(SyncTest, close_waits_for_the_commit_when_durability_is_close) {
  mount().unmount();
  mount().mount({"-o", "allow_other,suid,dev", "--durability=close"});
  {
    Sql sql(mount().dsn());
    for (int i = 0; i < 20; i++) {
      const std::string name = "f" + std::to_string(i);
      put(at(name), name);
      ASSERT_EQ(stored(sql, name), name);
    }
  }
  mount().remount();
}

}  // namespace
}  // namespace tusk::test
