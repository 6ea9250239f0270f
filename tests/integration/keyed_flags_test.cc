// flags/: feature flags as folders, the same that SQL sees.
#include <sys/stat.h>

#include <nlohmann/json.hpp>

#include "support/keyed_fixture.h"

namespace tusk::test {
namespace {

using Strings = std::vector<std::string>;

class KeyedFlags : public KeyedTest {
 protected:
  std::string row(const std::string& name) {
    return sql(
        "select concat_ws('|', enabled, percentage, actors, description) "
        "from tusk_cache.feature_flags where name = $1",
        {name});
  }
};

TEST_F(KeyedFlags, a_flag_is_a_folder) {
  ASSERT_EQ(make("flags/search"), 0);
  EXPECT_EQ(make("flags/search"), EEXIST);
  EXPECT_EQ(names_in(at("flags")), Strings{"search"});
  EXPECT_EQ(names_in(at("flags/search")),
            (Strings{"actors", "check", "description", "enabled", "percentage"}));
  EXPECT_EQ(read("flags/search/enabled"), "0\n");
  EXPECT_EQ(read("flags/search/percentage"), "100\n");
  EXPECT_EQ(read("flags/search/actors"), "");
  EXPECT_EQ(read("flags/search/description"), "");
  EXPECT_EQ(write("flags/search/enabled", "1\n"), 0);
  EXPECT_EQ(write("flags/search/percentage", "12.5"), 0);
  EXPECT_EQ(write("flags/search/actors", "ann\nbob\n"), 0);
  EXPECT_EQ(write("flags/search/description", "the new one\n"), 0);
  EXPECT_EQ(row("search"), "t|12.500|{ann,bob}|the new one");
  EXPECT_EQ(read("flags/search/enabled"), "1\n");
  EXPECT_EQ(read("flags/search/percentage"), "12.5\n");
  EXPECT_EQ(read("flags/search/actors"), "ann\nbob\n");
  EXPECT_EQ(read("flags/search/description"), "the new one\n");
  EXPECT_EQ(stat_of(at("flags/search/actors")).st_size, 8);
  EXPECT_EQ(remove_folder("flags/search"), 0);
  EXPECT_EQ(remove_folder("flags/search"), ENOENT);
  EXPECT_EQ(open_errno("flags/search/enabled"), ENOENT);
  EXPECT_EQ(sql("select count(*) from tusk_cache.feature_flags"), "0");
}

TEST_F(KeyedFlags, what_is_wrong_is_refused_and_changes_nothing) {
  ASSERT_EQ(make("flags/f"), 0);
  for (const char* wrong : {"2", "yes", "-1", "01", "1 1", "\n"})
    EXPECT_EQ(write("flags/f/enabled", wrong), EINVAL) << wrong;
  for (const char* wrong : {"x", "1e1", "5 %", "inf", "nan", "0x5", "1,5", "\n", "--1"})
    EXPECT_EQ(write("flags/f/percentage", wrong), EINVAL) << wrong;
  for (const char* wrong : {"100.001", "-1", "101", "99999999999999999999"})
    EXPECT_EQ(write("flags/f/percentage", wrong), ERANGE) << wrong;
  EXPECT_EQ(write("flags/f/description", {std::string_view("a\0b", 3)}), EINVAL);
  EXPECT_EQ(write("flags/f/description", "\xff"), EINVAL);
  EXPECT_EQ(write("flags/f/description", std::string(4097, 'x').c_str()), EFBIG);
  EXPECT_EQ(row("f"), "f|100.000|{}|");
  EXPECT_EQ(open_errno("flags/f/other", O_WRONLY | O_CREAT), EPERM);
  EXPECT_EQ(open_errno("flags/file", O_WRONLY | O_CREAT), EPERM);
  EXPECT_EQ(remove(at("flags/f/enabled")), EPERM);
  EXPECT_EQ(remove_folder("flags/f/check"), EPERM);
  EXPECT_EQ(remove(at("flags/f")), EISDIR);
  EXPECT_EQ(remove_folder("flags"), EPERM);
  EXPECT_EQ(make("flags/f/g"), EPERM);
  EXPECT_EQ(errno_of(::rename(at("flags/f").c_str(), at("flags/g").c_str())), EPERM);
  EXPECT_EQ(errno_of(::symlink("x", at("flags/l").c_str())), EPERM);
  EXPECT_EQ(errno_of(::chmod(at("flags/f/enabled").c_str(), 0600)), EPERM);
}

TEST_F(KeyedFlags, what_comes_in_pieces_is_one_text) {
  ASSERT_EQ(make("flags/f"), 0);
  EXPECT_EQ(write("flags/f/actors", {"ann\n", "bob\n", "carl"}), 0);
  EXPECT_EQ(read("flags/f/actors"), "ann\nbob\ncarl\n");
  EXPECT_EQ(write("flags/f/actors", {"dora\n"}, O_APPEND), 0);
  EXPECT_EQ(row("f"), "f|100.000|{ann,bob,carl,dora}|");
  run_ok({"sh", "-c", "{ echo eve; echo finn; } > " + at("flags/f/actors").string()});
  EXPECT_EQ(read("flags/f/actors"), "eve\nfinn\n");
  run_ok({"sh", "-c", ": > " + at("flags/f/actors").string()});
  EXPECT_EQ(read("flags/f/actors"), "");
  // A text replaces a longer one from the start, as one does in /sys.
  EXPECT_EQ(write("flags/f/percentage", {"5\n"}, 0), 0);
  EXPECT_EQ(read("flags/f/percentage"), "5\n");
  const Fd fd = open_file(at("flags/f/percentage"), O_RDWR);
  EXPECT_EQ(errno_of(::pwrite(fd.get(), "7", 1, 5)), EINVAL);
  EXPECT_EQ(errno_of(::pwrite(fd.get(), "7", 1, 0)), 0);
  EXPECT_EQ(read_at(fd.get(), 0, 100), "7\n");
  EXPECT_EQ(row("f"), "f|7.000|{}|");
}

TEST_F(KeyedFlags, check_tells_what_sql_tells) {
  ASSERT_EQ(make("flags/f"), 0);
  EXPECT_EQ(write("flags/f/enabled", "1"), 0);
  EXPECT_EQ(write("flags/f/percentage", "40"), 0);
  EXPECT_EQ(write("flags/f/actors", "zoe"), 0);
  int on = 0;
  for (int i = 0; i < 100; i++) {
    const std::string actor = "actor" + std::to_string(i);
    const std::string seen = read("flags/f/check/" + actor);
    EXPECT_EQ(seen, sql("select tusk_cache.flag_enabled('f', $1)::int", {actor}) + "\n");
    on += seen == "1\n" ? 1 : 0;
  }
  EXPECT_TRUE(on > 20 && on < 60) << on;
  EXPECT_EQ(read("flags/f/check/zoe"), "1\n");
  EXPECT_EQ(read("flags/f/check/a%2Fb"),
            sql("select tusk_cache.flag_enabled('f', 'a/b')::int") + "\n");
  sql("select tusk_cache.flag_set('f', false)");
  EXPECT_EQ(read("flags/f/check/zoe"), "0\n");
  EXPECT_EQ(write("flags/f/check/zoe", "1"), EACCES);
  EXPECT_EQ(errno_of_open(at("flags/f/check"), O_RDONLY | O_DIRECTORY), EACCES);
  EXPECT_EQ(open_errno("flags/none/check/zoe"), ENOENT);
}

TEST_F(KeyedFlags, any_name_that_can_be) {
  for (const char* name : {"a%2Fb", "%2Edot", "100%25", "new\nline", "'; drop table x; --", " "})
    EXPECT_EQ(make(std::string("flags/") + name), 0) << name;
  EXPECT_EQ(sql("select string_agg(name, '|' order by name) from tusk_cache.feature_flags"),
            " |'; drop table x; --|.dot|100%|a/b|new\nline");
  EXPECT_EQ(names_in(at("flags")).size(), 6u);
  for (const std::string& name : names_in(at("flags"))) {
    EXPECT_EQ(write("flags/" + name + "/enabled", "1"), 0) << name;
    EXPECT_EQ(read("flags/" + name + "/enabled"), "1\n") << name;
  }
  EXPECT_EQ(sql("select bool_and(enabled) from tusk_cache.feature_flags"), "t");
  EXPECT_EQ(make("flags/.dot"), EINVAL);
  EXPECT_EQ(make("flags/a%2fb"), EINVAL);
  EXPECT_EQ(make("flags/%zz"), EINVAL);
  EXPECT_EQ(make("flags/%00"), EINVAL);
  EXPECT_EQ(make("flags/\xff"), EILSEQ);
  EXPECT_EQ(make("flags/" + std::string(256, 'x')), ENAMETOOLONG);
  EXPECT_EQ(make("flags/" + std::string(255, 'x')), 0);
}

TEST_F(KeyedFlags, many_are_listed_in_pages) {
  sql_->run(
      "insert into tusk_cache.feature_flags (name) select case when i between 900 and 2100 "
      "then repeat('x', 300) else '' end || i from generate_series(1, 5000) i");
  EXPECT_EQ(names_in(at("flags")).size(), 5000u - 1201u);
  EXPECT_EQ(read("flags/4999/enabled"), "0\n");
  EXPECT_EQ(run_ok({"sh", "-c", "ls -l " + at("flags").string() + " | wc -l"}), "3800\n");
}

}  // namespace
}  // namespace tusk::test
