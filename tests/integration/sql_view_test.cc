// The rows of a tree make sense by themselves: paths, contents, types, sums.
#include <unistd.h>
#include <xxhash.h>

#include <cstdio>

#include "support/fs_fixture.h"
#include "support/fs_sql.h"

namespace tusk::test {
namespace {

// As `xxhsum -H2` prints it.
std::string xxh3_128(std::string_view bytes) {
  const XXH128_hash_t hash = ::XXH3_128bits(bytes.data(), bytes.size());
  char text[33];
  std::snprintf(text, sizeof text, "%016llx%016llx", static_cast<unsigned long long>(hash.high64),
                static_cast<unsigned long long>(hash.low64));
  return text;
}

class SqlViewTest : public MountTest {
 protected:
  void sync() { ASSERT_EQ(::fsync(open_file(dir(), O_RDONLY).get()), 0); }
  std::string column(Sql& sql, const std::string& name, const std::string& expression) {
    return sql.value("select " + expression + " from tusk.files where id = tusk.resolve($1)",
                     {tree_path(name)});
  }
};

TEST_F(SqlViewTest, content_gives_the_bytes_of_every_tier) {
  Sql sql(mount().dsn());
  for (const std::size_t size : {0u, 1u, 65'536u, 1'048'576u, 1'048'577u, 5'000'000u}) {
    const std::string bytes = pattern(size, size);
    put(at("file"), bytes);
    sync();
    const std::string hex =
        sql.value("select encode(tusk.content(tusk.resolve($1)), 'hex')", {tree_path("file")});
    ASSERT_EQ(hex.size(), 2 * size);
    std::string expected;
    for (const char c : bytes) {
      constexpr const char* kDigits = "0123456789abcdef";
      expected += kDigits[static_cast<unsigned char>(c) >> 4];
      expected += kDigits[static_cast<unsigned char>(c) & 15];
    }
    EXPECT_TRUE(hex == expected) << size;
  }
}

TEST_F(SqlViewTest, content_has_the_holes_and_edits_of_a_chunked_file) {
  Sql sql(mount().dsn());
  {
    const Fd fd = open_file(at("file"), O_RDWR | O_CREAT);
    ASSERT_EQ(::ftruncate(fd.get(), 2'000'000), 0);
    write_at(fd.get(), pattern(100'000), 700'000);
    ASSERT_EQ(::fsync(fd.get()), 0);
    write_at(fd.get(), "edit", 750'000);
    ASSERT_EQ(::fsync(fd.get()), 0);
  }
  EXPECT_EQ(sql.value("select md5(tusk.content(tusk.resolve($1)))", {tree_path("file")}),
            run_ok({"md5sum", at("file")}).substr(0, 32));
}

TEST_F(SqlViewTest, path_and_resolve_are_each_others_inverse) {
  make_folder(at("a"));
  make_folder(at("a/b"));
  put(at("a/b/file"), "");
  sync();
  Sql sql(mount().dsn());
  for (const char* name : {"a", "a/b", "a/b/file"})
    EXPECT_EQ(sql.value("select tusk.path(tusk.resolve($1))", {tree_path(name)}), tree_path(name));
  EXPECT_EQ(sql.value("select tusk.path(tusk.resolve('/'))"), "/");
  EXPECT_EQ(sql.value("select tusk.resolve($1)", {tree_path("a/no")}), "<null>");
}

TEST_F(SqlViewTest, resolve_knows_every_name_of_a_hard_linked_file) {
  put(at("first"), "x");
  ASSERT_EQ(::link(at("first").c_str(), at("second").c_str()), 0);
  sync();
  Sql sql(mount().dsn());
  EXPECT_EQ(sql.value("select tusk.resolve($1) = tusk.resolve($2)",
                      {tree_path("first"), tree_path("second")}),
            "t");
}

TEST_F(SqlViewTest, checksum_is_what_xxhsum_prints) {
  Sql sql(mount().dsn());
  for (const std::size_t size : {0u, 5u, 100'000u, 3'000'000u}) {
    const std::string bytes = pattern(size, size);
    put(at("file"), bytes);
    sync();
    EXPECT_EQ(column(sql, "file", "encode(checksum, 'hex')"), xxh3_128(bytes)) << size;
  }
}

TEST_F(SqlViewTest, checksum_is_right_or_absent_after_editing_in_place) {
  Sql sql(mount().dsn());
  put(at("file"), pattern(3'000'000));
  sync();
  write_at(open_file(at("file"), O_RDWR).get(), "edit", 1'000'000);
  sync();
  const std::string sum = column(sql, "file", "encode(checksum, 'hex')");
  EXPECT_TRUE(sum == "<null>" || sum == xxh3_128(get(at("file")))) << sum;
}

TEST_F(SqlViewTest, size_mode_owner_and_times_are_those_of_stat) {
  put(at("file"), pattern(12'345), 0640);
  set_times(at("file"), 1'500'000'000'000'000'001, 1'600'000'000'123'456'789);
  sync();
  Sql sql(mount().dsn());
  const struct stat s = stat_of(at("file"));
  EXPECT_EQ(column(sql, "file", "size_bytes"), "12345");
  EXPECT_EQ(column(sql, "file", "mode"), std::to_string(s.st_mode));
  EXPECT_EQ(column(sql, "file", "uid"), std::to_string(s.st_uid));
  EXPECT_EQ(column(sql, "file", "mtime_ns"), "1600000000123456789");
  EXPECT_EQ(column(sql, "file", "ctime_ns"), std::to_string(nanoseconds(s.st_ctim)));
}

TEST_F(SqlViewTest, mime_type_follows_name_content_and_kind) {
  put(at("page.html"), "<html></html>");
  put(at("image.png"), "");
  put(at("README"), "plain words\n");
  ASSERT_EQ(::symlink("README", at("link").c_str()), 0);
  sync();
  Sql sql(mount().dsn());
  EXPECT_EQ(column(sql, "page.html", "mime_type"), "text/html");
  EXPECT_EQ(column(sql, "image.png", "mime_type"), "image/png");
  EXPECT_EQ(column(sql, "README", "mime_type"), "text/plain");
  EXPECT_EQ(column(sql, "link", "mime_type"), "inode/symlink");
}

TEST_F(SqlViewTest, the_tree_found_by_sql_is_the_tree_found_by_find) {
  run_ok({"cp", "-r", "/usr/include/linux", at("linux")});
  sync();
  Sql sql(mount().dsn());
  const std::string prefix = tree_path("linux") + "/";
  const auto listed = sql.rows(
      "select tusk.path(id) from tusk.files where tusk.path(id) like $1 || '%' order by "
      "tusk.path(id) collate "
      "\"C\"",
      {prefix});
  std::string names;
  for (const SqlRow& row : listed) names += row[0].substr(prefix.size()) + "\n";
  EXPECT_EQ(names, run_ok({"sh", "-c", "find . ! -type d | cut -c3- | LC_ALL=C sort"},
                          {.cwd = at("linux")}));
}

}  // namespace
}  // namespace tusk::test
