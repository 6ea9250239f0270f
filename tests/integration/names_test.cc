// What may be a name.
#include <sys/stat.h>
#include <unistd.h>

#include "support/fs_fixture.h"
#include "support/fs_sql.h"

namespace tusk::test {
namespace {

class NamesTest : public FsTest {};
class NamesOnMountTest : public MountTest {};

constexpr const char* kNotUtf8 = "caf\xe9";

TEST_F(NamesTest, name_of_255_bytes_works) {
  const std::string name(255, 'n');
  put(at(name), "x");
  EXPECT_EQ(names_in(dir()), std::vector{name});
  EXPECT_EQ(get(at(name)), "x");
}

TEST_F(NamesTest, name_of_255_bytes_in_multibyte_characters_works) {
  std::string name;
  for (int i = 0; i < 85; i++) name += "\xe2\x82\xac";  // the euro sign
  make_folder(at(name));
  EXPECT_EQ(names_in(dir()), std::vector{name});
}

TEST_F(NamesTest, name_of_256_bytes_is_too_long_for_every_call) {
  const Path longer = at(std::string(256, 'n'));
  put(at("file"), "");
  EXPECT_EQ(errno_of_open(longer, O_RDONLY), ENAMETOOLONG);
  EXPECT_EQ(errno_of_open(longer, O_WRONLY | O_CREAT), ENAMETOOLONG);
  EXPECT_EQ(errno_of(::mkdir(longer.c_str(), 0755)), ENAMETOOLONG);
  EXPECT_EQ(errno_of(::rmdir(longer.c_str())), ENAMETOOLONG);
  EXPECT_EQ(errno_of(::unlink(longer.c_str())), ENAMETOOLONG);
  EXPECT_EQ(errno_of(::symlink("file", longer.c_str())), ENAMETOOLONG);
  EXPECT_EQ(errno_of(::link(at("file").c_str(), longer.c_str())), ENAMETOOLONG);
  EXPECT_EQ(errno_of(::rename(at("file").c_str(), longer.c_str())), ENAMETOOLONG);
  EXPECT_EQ(errno_of(::mkfifo(longer.c_str(), 0644)), ENAMETOOLONG);
  EXPECT_EQ(names_in(dir()), std::vector<std::string>{"file"});
}

TEST_F(NamesTest, names_differ_by_case_and_by_normal_form) {
  put(at("a"), "lower");
  put(at("A"), "upper");
  put(at("\xc3\xa9"), "composed");
  put(at("e\xcc\x81"), "decomposed");
  EXPECT_EQ(names_in(dir()).size(), 4u);
  EXPECT_EQ(get(at("a")), "lower");
  EXPECT_EQ(get(at("e\xcc\x81")), "decomposed");
}

TEST_F(NamesTest, names_with_odd_characters_work) {
  const std::vector<std::string> names = {" ",     "'quoted'", "-rf", "\\",    "line\nbreak",
                                          "tab\t", "\x01",     "%s",  "{a,b}", "\"",
                                          "$HOME", ".hidden",  "..."};
  for (const std::string& name : names) put(at(name), name);
  for (const std::string& name : names) EXPECT_EQ(get(at(name)), name);
  EXPECT_EQ(names_in(dir()).size(), names.size());
}

TEST_F(NamesTest, path_through_a_file_is_enotdir) {
  put(at("file"), "");
  EXPECT_EQ(errno_of_open(at("file/x"), O_RDONLY), ENOTDIR);
  EXPECT_EQ(errno_of(::mkdir(at("file/x").c_str(), 0755)), ENOTDIR);
}

TEST_F(NamesTest, path_through_nothing_is_enoent) {
  EXPECT_EQ(errno_of_open(at("no/x"), O_WRONLY | O_CREAT), ENOENT);
  EXPECT_EQ(errno_of(::unlink(at("no").c_str())), ENOENT);
  EXPECT_EQ(errno_of(::rmdir(at("no").c_str())), ENOENT);
}

TEST_F(NamesTest, name_absent_when_looked_up_is_there_once_made) {
  for (int i = 0; i < 50; i++) {
    const Path path = at("n" + std::to_string(i));
    EXPECT_FALSE(present(path));
    put(path, "x");
    EXPECT_TRUE(present(path));
    EXPECT_EQ(::unlink(path.c_str()), 0);
    EXPECT_FALSE(present(path));
  }
}

TEST_F(NamesOnMountTest, name_that_is_not_utf8_is_eilseq_for_every_call_that_makes_one) {
  put(at("file"), "");
  const Path bad = at(kNotUtf8);
  EXPECT_EQ(errno_of_open(bad, O_WRONLY | O_CREAT), EILSEQ);
  EXPECT_EQ(errno_of(::mkdir(bad.c_str(), 0755)), EILSEQ);
  EXPECT_EQ(errno_of(::mkfifo(bad.c_str(), 0644)), EILSEQ);
  EXPECT_EQ(errno_of(::symlink("file", bad.c_str())), EILSEQ);
  EXPECT_EQ(errno_of(::link(at("file").c_str(), bad.c_str())), EILSEQ);
  EXPECT_EQ(errno_of(::rename(at("file").c_str(), bad.c_str())), EILSEQ);
  EXPECT_EQ(names_in(dir()), std::vector<std::string>{"file"});
}

TEST_F(NamesOnMountTest, overlong_and_surrogate_encodings_are_eilseq) {
  for (const char* name : {"\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xff", "a\x80"})
    EXPECT_EQ(errno_of(::mkdir(at(name).c_str(), 0755)), EILSEQ) << name;
}

TEST_F(NamesOnMountTest, name_reaches_sql_byte_for_byte) {
  const std::string name = "na\xc3\xafve \xf0\x9f\x90\x98 'x' \\";
  put(at(name), "x");
  const Fd folder = open_file(dir(), O_RDONLY | O_DIRECTORY);
  ASSERT_EQ(::fsync(folder.get()), 0);
  Sql sql(mount().dsn());
  EXPECT_EQ(sql.number("select count(*) from tusk.files where filename = $1", {name}), 1);
}

}  // namespace
}  // namespace tusk::test
