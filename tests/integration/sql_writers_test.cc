// SQL clients write in a tree while it is mounted: the mount shows what they commit, they find what
// it has written, and neither loses anything to the other.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <map>
#include <random>
#include <sstream>
#include <thread>

#include "support/fs_fixture.h"
#include "support/fs_sql.h"

namespace tusk::test {
namespace {

using namespace std::chrono_literals;

// Ends by itself; what is waited for comes within a fraction of a second.
constexpr auto kPatience = 20s;

template <class Fn>
bool comes_true(Fn condition) {
  const auto end = std::chrono::steady_clock::now() + kPatience;
  while (std::chrono::steady_clock::now() < end) {
    if (condition()) return true;
    std::this_thread::sleep_for(5ms);
  }
  return false;
}

class SqlWritersTest : public MountTest {
 protected:
  void SetUp() override {
    MountTest::SetUp();
    if (!IsSkipped()) sql_ = std::make_unique<Sql>(mount().dsn());
  }
  Sql& sql() { return *sql_; }

  static constexpr const char* kInsert =
      "insert into tusk.files (tenant_id, folder_id, filename, data) "
      "select d.tenant_id, d.id, $2, $3 from tusk.folders d where d.id = tusk.resolve($1)";
  void insert(Sql& client, const std::string& name, const std::string& bytes) {
    client.rows(kInsert, {tree_path(), name, bytes});
  }
  void sync() { ASSERT_EQ(::fsync(open_file(dir(), O_RDONLY).get()), 0); }
  std::string id_of(const std::string& name) {
    return sql().value("select tusk.resolve($1)", {tree_path(name)});
  }
  void replace(const std::string& id, const std::string& bytes) {
    sql().rows("update tusk.files set data = $2 where id = $1", {id, bytes});
  }

 private:
  std::unique_ptr<Sql> sql_;
};

TEST_F(SqlWritersTest, a_new_file_shows_in_an_open_folder_and_under_a_name_known_to_be_free) {
  sync();
  EXPECT_FALSE(present(at("new")));
  EXPECT_EQ(names_in(dir()), std::vector<std::string>{});
  insert(sql(), "new", "from SQL");
  ASSERT_TRUE(comes_true([&] { return present(at("new")); }));
  EXPECT_EQ(get(at("new")), "from SQL");
  EXPECT_TRUE(comes_true([&] { return names_in(dir()) == std::vector<std::string>{"new"}; }));
}

TEST_F(SqlWritersTest, what_is_rolled_back_never_shows) {
  sync();
  sql().run("begin");
  insert(sql(), "never", "x");
  std::this_thread::sleep_for(300ms);
  EXPECT_FALSE(present(at("never")));
  sql().run("rollback");
  put(at("after"), "x");  // the mount may write again
  EXPECT_EQ(names_in(dir()), std::vector<std::string>{"after"});
}

TEST_F(SqlWritersTest, a_rename_moves_the_same_file) {
  put(at("old"), "content");
  make_folder(at("folder"));
  sync();
  const Fd open = open_file(at("old"), O_RDONLY);
  const ino_t ino = stat_of(at("old")).st_ino;
  sql().rows(
      "update tusk.files set filename = 'new', folder_id = tusk.resolve($2) "
      "where id = tusk.resolve($1)",
      {tree_path("old"), tree_path("folder")});
  ASSERT_TRUE(comes_true([&] { return present(at("folder/new")); }));
  EXPECT_TRUE(comes_true([&] { return !present(at("old")); }));
  EXPECT_EQ(stat_of(at("folder/new")).st_ino, ino);
  EXPECT_EQ(read_at(open.get(), 0, 100), "content");
  EXPECT_EQ(names_in(dir()), std::vector<std::string>{"folder"});
}

TEST_F(SqlWritersTest, two_files_change_places) {
  put(at("a"), "was a");
  put(at("b"), "was b!");
  sync();
  EXPECT_EQ(get(at("a")), "was a");
  sql().run("begin");
  const std::string a = id_of("a"), b = id_of("b");
  sql().rows("update tusk.files set filename = 'between' where id = $1", {a});
  sql().rows("update tusk.files set filename = 'a' where id = $1", {b});
  sql().rows("update tusk.files set filename = 'b' where id = $1", {a});
  sql().run("commit");
  EXPECT_TRUE(comes_true([&] { return get(at("a")) == "was b!" && get(at("b")) == "was a"; }));
  EXPECT_EQ(names_in(dir()), (std::vector<std::string>{"a", "b"}));
}

TEST_F(SqlWritersTest, new_content_shows_in_open_and_mapped_files) {
  put(at("file"), "first content");
  const Fd open = open_file(at("file"), O_RDONLY);
  EXPECT_EQ(read_at(open.get(), 0, 100), "first content");
  sync();
  replace(id_of("file"), "second");
  EXPECT_TRUE(comes_true([&] { return read_at(open.get(), 0, 100) == "second"; }));
  EXPECT_TRUE(comes_true([&] { return stat_of(at("file")).st_size == 6; }));
  EXPECT_EQ(get(at("file")), "second");
}

TEST_F(SqlWritersTest, what_an_update_overwrites_can_be_restored) {
  sql().run("update tusk.tenants set policy = policy || '{\"version_interval\": 0}'");
  put(at("small"), "written by the mount");
  put(at("large"), pattern(3'000'000, 1));
  sync();
  for (const std::string name : {"small", "large"}) {
    const std::string was = get(at(name)), path = tree_path(name);
    replace(id_of(name), "by SQL");
    ASSERT_TRUE(comes_true([&] { return get(at(name)) == "by SQL"; })) << name;
    EXPECT_EQ(stat_of(at(name)).st_size, 6);
    sql().rows("select tusk.restore_version($1, min(version)) from tusk.versions($1)", {path});
    ASSERT_TRUE(comes_true([&] { return get(at(name)) == was; })) << name;
    append_to(open_file(at(name), O_WRONLY | O_APPEND).get(), "!");
    EXPECT_TRUE(get(at(name)) == was + "!");
  }
  sql().run("update tusk.tenants set policy = policy - 'version_interval'");
}

TEST_F(SqlWritersTest, functions_and_the_mount_work_on_the_same_tree) {
  put(at("from mount"), "m");
  const std::string made = tree_path("a/b/made"), moved = tree_path("a/moved");
  sql().rows("select tusk.write_file($1, 'one', create_parents => true)", {made});
  ASSERT_TRUE(comes_true([&] { return present(at("a/b/made")); }));
  EXPECT_EQ(get(at("a/b/made")), "one");
  append_to(open_file(at("a/b/made"), O_WRONLY | O_APPEND).get(), " two");
  sql().rows("select tusk.append_file($1, ' three')", {made});
  EXPECT_TRUE(comes_true([&] { return get(at("a/b/made")) == "one two three"; }));
  sql().rows("select tusk.move($1, $2)", {made, moved});
  sql().rows("select tusk.copy($1, $2)", {tree_path("a"), tree_path("copy")});
  ASSERT_TRUE(comes_true([&] { return present(at("copy/moved")); }));
  EXPECT_EQ(get(at("copy/moved")), "one two three");
  EXPECT_EQ(names_in(at("a")), (std::vector<std::string>{"b", "moved"}));
  EXPECT_EQ(sql().value("select convert_from(tusk.read_file($1), 'UTF8')", {moved}),
            "one two three");
  put(at("a/last"), "x");
  sql().rows("select tusk.delete($1, recursive => true)", {tree_path("a")});
  ASSERT_TRUE(comes_true([&] { return !present(at("a")); }));
  EXPECT_EQ(names_in(dir()), (std::vector<std::string>{"copy", "from mount"}));
  sql().rows(
      "select tusk.trash_restore(t.trash_id) from tusk.trash_list() t where t.original_path = $1 "
      "order by t.deleted_at desc limit 1",
      {tree_path("a")});
  ASSERT_TRUE(comes_true([&] { return present(at("a/last")); }));
  EXPECT_EQ(get(at("a/moved")), "one two three");
  EXPECT_EQ(stat_of(at("a")).st_nlink, 3u);
}

TEST_F(SqlWritersTest, what_rows_of_applications_refer_to_is_busy) {
  for (const char* name : {"file", "other", "free"}) put(at(name), name);
  make_folder(at("folder"));
  ASSERT_EQ(::link(at("file").c_str(), at("second name").c_str()), 0);
  sync();
  declare("refers to it");
  const std::string schema = "busy_" + std::to_string(::getpid());
  sql().run("create schema " + schema + "; create table " + schema +
            ".invoices (file uuid references tusk.files (id), folder uuid references "
            "tusk.folders (id))");
  sql().rows("insert into " + schema + ".invoices values ($1, $2)",
             {id_of("file"), id_of("folder")});
  const auto removed = [&](const char* name) { return errno_of(::unlink(at(name).c_str())); };
  EXPECT_EQ(removed("second name"), 0);
  // The mount knows of a new foreign key after a moment.
  std::this_thread::sleep_for(1s);
  EXPECT_EQ(removed("file"), EBUSY);
  EXPECT_EQ(errno_of(::rename(at("other").c_str(), at("file").c_str())), EBUSY);
  EXPECT_EQ(errno_of(::rmdir(at("folder").c_str())), EBUSY);
  EXPECT_NE(mount().log().find("invoices_file_fkey of invoices refers to it"), std::string::npos)
      << mount().log();
  EXPECT_EQ(get(at("file")), "file");
  EXPECT_EQ(errno_of(::rename(at("file").c_str(), at("renamed").c_str())), 0);
  EXPECT_EQ(removed("free"), 0);
  put(at("never stored"), "x");
  EXPECT_EQ(removed("never stored"), 0);
  sql().run("update " + schema + ".invoices set folder = null");
  EXPECT_EQ(errno_of(::rmdir(at("folder").c_str())), 0);

  sql().run("update tusk.tenants set policy = policy || '{\"on_reference\": \"trash\"}'");
  EXPECT_TRUE(comes_true([&] { return removed("renamed") == 0; }));
  sync();
  EXPECT_THROW(sql().run("delete from tusk.files where deleted_at is not null"), std::exception);
  const auto purged = [&] {
    return sql().value(
        "select tusk.purge_trashed(tusk.current_tree(), t.trash_id) from tusk.trash_list() t "
        "where t.original_path = $1",
        {tree_path("renamed")});
  };
  EXPECT_EQ(purged(), "in use");
  sql().run("drop schema " + schema +
            " cascade; update tusk.tenants set policy = policy - 'on_reference'");
  EXPECT_EQ(purged(), "purged");
}

TEST_F(SqlWritersTest, attributes_and_extended_attributes_show) {
  put(at("file"), "x");
  sync();
  EXPECT_EQ(permissions_of(at("file")), 0644u);
  sql().rows("update tusk.files set mode = 33152, mtime_ns = 5000000000 where id = $1",
             {id_of("file")});
  EXPECT_TRUE(comes_true([&] { return permissions_of(at("file")) == 0600; }));
  EXPECT_EQ(times_of(at("file")).mtime, 5'000'000'000);
}

TEST_F(SqlWritersTest, a_deleted_file_is_gone_and_stays_readable_where_it_is_open) {
  put(at("file"), "kept");
  sync();
  const Fd open = open_file(at("file"), O_RDWR);
  sql().rows("update tusk.files set deleted_at = now(), deleted_by = 0 where id = $1",
             {id_of("file")});
  ASSERT_TRUE(comes_true([&] { return !present(at("file")); }));
  EXPECT_EQ(read_at(open.get(), 0, 100), "kept");
  write_at(open.get(), "K", 0);
  put(at("file"), "another");
  sync();
  EXPECT_EQ(get(at("file")), "another");
  EXPECT_EQ(read_at(open.get(), 0, 100), "Kept");
}

TEST_F(SqlWritersTest, a_folder_with_everything_in_it_goes) {
  make_folder(at("folder"));
  put(at("folder/file"), "x");
  sync();
  const std::string folder = id_of("folder");
  sql().run("begin");
  sql().rows("delete from tusk.files where folder_id = $1", {folder});
  sql().rows("delete from tusk.folders where id = $1", {folder});
  sql().run("commit");
  ASSERT_TRUE(comes_true([&] { return !present(at("folder")); }));
  EXPECT_EQ(errno_of_open(at("folder/file"), O_RDONLY), ENOENT);
  make_folder(at("folder"));
  EXPECT_EQ(names_in(at("folder")), std::vector<std::string>{});
}

TEST_F(SqlWritersTest, a_writer_finds_what_the_mount_has_not_committed_yet) {
  for (int i = 0; i < 20; i++) {
    const std::string name = "file" + std::to_string(i);
    put(at(name), "from the mount");
    // The trigger waits for the mount; what follows sees what it had.
    sql().run("begin");
    insert(sql(), name + ".sql", "x");
    EXPECT_EQ(sql().value("select convert_from(tusk.content(tusk.resolve($1)), 'UTF8')",
                          {tree_path(name)}),
              "from the mount");
    sql().run("commit");
  }
}

TEST_F(SqlWritersTest, while_a_transaction_writes_the_mount_reads_and_its_changes_wait) {
  put(at("file"), "x");
  sync();
  sql().run("begin");
  insert(sql(), "theirs", "y");
  std::atomic<bool> made = false;
  std::jthread maker([&] {
    put(at("ours"), "z");
    made = true;
  });
  EXPECT_EQ(get(at("file")), "x");
  std::this_thread::sleep_for(500ms);
  EXPECT_FALSE(made);
  sql().run("commit");
  maker.join();
  EXPECT_TRUE(made);
  EXPECT_TRUE(comes_true([&] {
    return names_in(dir()) == (std::vector<std::string>{"file", "ours", "theirs"});
  }));
}

TEST_F(SqlWritersTest, df_counts_what_sql_clients_add) {
  sync();
  const std::string before = sql().value(
      "select files::text from tusk.mounts where tenant_id = "
      "(select id from tusk.tenants where name = 'default')");
  for (int i = 0; i < 10; i++) insert(sql(), "f" + std::to_string(i), "x");
  put(at("ours"), "x");
  sync();
  EXPECT_EQ(sql().number("select files from tusk.mounts where tenant_id = "
                         "(select id from tusk.tenants where name = 'default')"),
            std::stoll(before) + 11);
}

// Each name is taken by one of the two, and it has the winner's content.
TEST_F(SqlWritersTest, of_two_who_make_the_same_name_one_wins) {
  sync();
  constexpr int kNames = 150;
  std::vector<int> won_by_sql(kNames), won_by_mount(kNames);
  std::jthread theirs([&] {
    Sql client(mount().dsn());
    for (int i = 0; i < kNames; i++) {
      try {
        insert(client, "n" + std::to_string(i), "sql");
        won_by_sql[static_cast<std::size_t>(i)] = 1;
      } catch (const std::exception&) {
      }
    }
  });
  for (int i = 0; i < kNames; i++) {
    const Path path = at("n" + std::to_string(kNames - 1 - i));
    const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL, 0644);
    if (fd < 0) continue;
    const Fd made(fd);
    append_to(fd, "mount");
    won_by_mount[static_cast<std::size_t>(kNames - 1 - i)] = 1;
  }
  theirs.join();
  sync();
  ASSERT_TRUE(comes_true([&] { return names_in(dir()).size() == kNames; }));
  for (std::size_t i = 0; i < kNames; i++) {
    EXPECT_EQ(won_by_sql[i] + won_by_mount[i], 1) << i;
    EXPECT_EQ(get(at("n" + std::to_string(i))), won_by_sql[i] ? "sql" : "mount");
  }
}

// Every line is there once, in the order in which its writer wrote it.
TEST_F(SqlWritersTest, lines_appended_from_both_sides_are_all_there) {
  put(at("log"), "");
  sync();
  constexpr int kLines = 120;
  const std::string id = id_of("log");
  const auto from_sql = [&](const std::string& who) {
    Sql client(mount().dsn());
    for (int i = 0; i < kLines; i++) {
      client.rows(
          "update tusk.files set data = data || $2::bytea, checksum = null, "
          "size_bytes = size_bytes + octet_length($2::bytea), version = version + 1 where id = $1",
          {id, who + std::to_string(i) + "\\012"});
    }
  };
  const auto from_mount = [&](const std::string& who) {
    for (int i = 0; i < kLines; i++) {
      const Fd fd = open_file(at("log"), O_WRONLY | O_APPEND);
      append_to(fd.get(), who + std::to_string(i) + "\n");
      if (i % 8 == 0) std::this_thread::sleep_for(10ms);
    }
  };
  { std::jthread a(from_sql, "a"), b(from_sql, "b"), c(from_mount, "c"), d(from_mount, "d"); }
  sync();
  std::map<char, int> next;
  std::size_t lines = 0;
  std::istringstream log(sql().value("select convert_from(tusk.content($1), 'UTF8')", {id}));
  for (std::string line; std::getline(log, line); lines++) {
    ASSERT_GE(line.size(), 2u);
    EXPECT_EQ(line.substr(1), std::to_string(next[line[0]]++)) << line;
  }
  EXPECT_EQ(lines, 4u * kLines);
  EXPECT_TRUE(comes_true([&] {
    return static_cast<std::size_t>(stat_of(at("log")).st_size) ==
           static_cast<std::size_t>(
               sql().number("select size_bytes from tusk.files where id = $1", {id}));
  }));
}

// Whatever both did, in the end they see the same, and what fsck looks for holds (at the suite's
// end).
TEST_F(SqlWritersTest, after_random_changes_from_both_sides_both_see_the_same) {
  sync();
  constexpr int kSteps = 400, kNames = 6;
  const auto name_of = [](std::uint64_t n) { return "n" + std::to_string(n % kNames); };
  const auto from_sql = [&](std::uint32_t seed) {
    Sql client(mount().dsn());
    std::mt19937 random(seed);
    for (int i = 0; i < kSteps; i++) {
      const std::string name = name_of(random()), other = name_of(random());
      const std::string file = "id = tusk.resolve($1)";
      try {
        switch (random() % 5) {
          case 0:
            insert(client, name, "sql " + std::to_string(i));
            break;
          case 1:
            client.rows("update tusk.files set filename = $2 where " + file,
                        {tree_path(name), other});
            break;
          case 2:
            client.rows("delete from tusk.files where " + file, {tree_path(name)});
            break;
          case 3:
            client.rows(
                "update tusk.files set deleted_at = clock_timestamp(), deleted_by = 0 where " +
                    file,
                {tree_path(name)});
            break;
          default:
            client.rows("update tusk.files set data = $2 where data is not null and " + file,
                        {tree_path(name), "sql again " + std::to_string(i)});
        }
      } catch (const std::exception&) {  // the name is taken
      }
    }
  };
  const auto from_mount = [&](std::uint32_t seed) {
    std::mt19937 random(seed);
    for (int i = 0; i < kSteps * 4; i++) {
      const Path one = at(name_of(random())), other = at(name_of(random()));
      const std::string bytes = "mount " + std::to_string(i);
      switch (random() % 5) {
        case 0:
        case 1: {
          const Fd fd(::open(one.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644));
          if (fd) append_to(fd.get(), bytes);
          break;
        }
        case 2:
          ::rename(one.c_str(), other.c_str());
          break;
        case 3:
          ::unlink(one.c_str());
          break;
        default: {
          const Fd fd(::open(one.c_str(), O_RDONLY));
          char buffer[100];
          if (fd) {
            EXPECT_GE(::read(fd.get(), buffer, sizeof buffer), 0) << errno;
          }
        }
      }
      if (random() % 64 == 0) std::this_thread::sleep_for(3ms);
    }
  };
  { std::jthread a(from_sql, 1), b(from_sql, 2), c(from_mount, 3), d(from_mount, 4); }
  sync();
  const auto as_sql_sees = [&] {
    std::map<std::string, std::string> all;
    for (const SqlRow& row : sql().rows("select filename, convert_from(tusk.content(id), 'UTF8') "
                                        "from tusk.files where folder_id = tusk.resolve($1) "
                                        "and deleted_at is null",
                                        {tree_path()}))
      all[row[0]] = row[1];
    return all;
  };
  const auto as_mount_sees = [&] {
    std::map<std::string, std::string> all;
    for (const std::string& name : names_in(dir())) all[name] = get(at(name));
    return all;
  };
  EXPECT_TRUE(comes_true([&] { return as_sql_sees() == as_mount_sees(); }))
      << ::testing::PrintToString(as_sql_sees()) << ::testing::PrintToString(as_mount_sees());
}

}  // namespace
}  // namespace tusk::test
