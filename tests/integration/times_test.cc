// Which operation moves which time, to the nanosecond.
#include <sys/xattr.h>
#include <unistd.h>

#include "support/fs_fixture.h"

namespace tusk::test {
namespace {

constexpr std::int64_t kOld = 1'000'000'000'123'456'789;  // 2001, with nanoseconds

class TimesTest : public FsTest {
 protected:
  void SetUp() override {
    FsTest::SetUp();
    put(at("file"), "content");
    make_folder(at("folder"));
    put(at("folder/child"), "");
  }
  // What of a path's times moved while `act` ran: some of "amc".
  std::string moved(const std::string& name, const std::function<void()>& act) {
    const Times before = times_of(at(name));
    let_clock_tick();
    act();
    const Times after = times_of(at(name));
    std::string result;
    if (after.atime != before.atime) result += 'a';
    if (after.mtime != before.mtime) result += 'm';
    if (after.ctime != before.ctime) result += 'c';
    EXPECT_GE(after.ctime, before.ctime);
    return result;
  }
};

void check(int result) {
  if (result != 0) throw_errno("call");
}

TEST_F(TimesTest, times_that_are_set_are_kept_to_the_nanosecond) {
  for (const std::int64_t ns :
       {kOld, std::int64_t{0}, std::int64_t{1}, std::int64_t{4'102'444'800'999'999'999},
        std::int64_t{-1'500'000'000}}) {
    set_times(at("file"), ns, ns + 1);
    EXPECT_EQ(times_of(at("file")).atime, ns);
    EXPECT_EQ(times_of(at("file")).mtime, ns + 1);
  }
}

TEST_F(TimesTest, omitted_times_stay_and_now_is_now) {
  set_times(at("file"), kOld, kOld);
  const timespec mtime_now[2] = {{0, UTIME_OMIT}, {0, UTIME_NOW}};
  check(::utimensat(AT_FDCWD, at("file").c_str(), mtime_now, 0));
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  EXPECT_EQ(times_of(at("file")).atime, kOld);
  EXPECT_LT(std::abs(times_of(at("file")).mtime - nanoseconds(now)), 5'000'000'000);
}

TEST_F(TimesTest, setting_times_moves_ctime) {
  EXPECT_EQ(moved("file", [&] { set_times(at("file"), kOld, kOld); }), "amc");
}

TEST_F(TimesTest, times_of_a_symlink_are_its_own) {
  check(::symlink("file", at("link").c_str()));
  set_times(at("link"), kOld, kOld);
  EXPECT_EQ(times_of(at("link")).mtime, kOld);
  EXPECT_NE(times_of(at("file")).mtime, kOld);
}

TEST_F(TimesTest, making_and_removing_names_moves_the_folder) {
  EXPECT_EQ(moved("folder", [&] { put(at("folder/new"), ""); }), "mc");
  EXPECT_EQ(moved("folder", [&] { make_folder(at("folder/sub")); }), "mc");
  EXPECT_EQ(moved("folder", [&] { check(::symlink("x", at("folder/sym").c_str())); }), "mc");
  EXPECT_EQ(moved("folder", [&] { check(::link(at("file").c_str(), at("folder/hard").c_str())); }),
            "mc");
  EXPECT_EQ(moved("folder", [&] { check(::unlink(at("folder/new").c_str())); }), "mc");
  EXPECT_EQ(moved("folder", [&] { check(::rmdir(at("folder/sub").c_str())); }), "mc");
  EXPECT_EQ(moved("folder", [&] { check(::mkfifo(at("folder/fifo").c_str(), 0644)); }), "mc");
}

TEST_F(TimesTest, changing_a_child_does_not_move_its_folder) {
  EXPECT_EQ(moved("folder", [&] { check(::chmod(at("folder/child").c_str(), 0600)); }), "");
  EXPECT_EQ(moved("folder", [&] { put(at("folder/child"), "more"); }), "");
}

TEST_F(TimesTest, renaming_moves_both_folders_and_the_ctime_of_the_file) {
  EXPECT_EQ(moved("file",
                  [&] {
                    check(::rename(at("file").c_str(), at("folder/file").c_str()));
                    check(::rename(at("folder/file").c_str(), at("file").c_str()));
                  }),
            "c");
  EXPECT_EQ(
      moved("folder", [&] { check(::rename(at("folder/child").c_str(), at("child").c_str())); }),
      "mc");
  EXPECT_EQ(
      moved("folder", [&] { check(::rename(at("child").c_str(), at("folder/child").c_str())); }),
      "mc");
}

TEST_F(TimesTest, writing_moves_mtime_and_ctime) {
  EXPECT_EQ(
      moved("file", [&] { append_to(open_file(at("file"), O_WRONLY | O_APPEND).get(), "more"); }),
      "mc");
  EXPECT_EQ(moved("file", [&] { write_at(open_file(at("file"), O_WRONLY).get(), "x", 0); }), "mc");
}

TEST_F(TimesTest, opening_and_closing_without_writing_moves_nothing) {
  EXPECT_EQ(moved("file", [&] { open_file(at("file"), O_RDWR); }), "");
  EXPECT_EQ(moved("file", [&] { open_file(at("file"), O_WRONLY | O_APPEND); }), "");
}

TEST_F(TimesTest, truncating_moves_mtime_and_ctime) {
  EXPECT_EQ(moved("file", [&] { check(::truncate(at("file").c_str(), 3)); }), "mc");
  EXPECT_EQ(moved("file", [&] { open_file(at("file"), O_WRONLY | O_TRUNC); }), "mc");
  put(at("empty"), "");
  EXPECT_EQ(moved("empty", [&] { open_file(at("empty"), O_WRONLY | O_TRUNC); }), "mc");
}

TEST_F(TimesTest, changing_mode_or_owner_moves_ctime_alone) {
  EXPECT_EQ(moved("file", [&] { check(::chmod(at("file").c_str(), 0600)); }), "c");
  EXPECT_EQ(moved("file", [&] { check(::chown(at("file").c_str(), ::getuid(), ::getgid())); }),
            "c");
}

TEST_F(TimesTest, linking_and_unlinking_moves_the_ctime_of_the_file) {
  EXPECT_EQ(moved("file", [&] { check(::link(at("file").c_str(), at("hard").c_str())); }), "c");
  EXPECT_EQ(moved("file", [&] { check(::unlink(at("hard").c_str())); }), "c");
}

TEST_F(TimesTest, setting_and_removing_an_xattr_moves_ctime_alone) {
  EXPECT_EQ(moved("file", [&] { check(::setxattr(at("file").c_str(), "user.a", "1", 1, 0)); }),
            "c");
  EXPECT_EQ(moved("file", [&] { check(::removexattr(at("file").c_str(), "user.a")); }), "c");
}

TEST_F(TimesTest, reading_moves_an_old_atime_alone) {
  set_times(at("file"), kOld, kOld);
  EXPECT_EQ(moved("file", [&] { get(at("file")); }), "a");
}

TEST_F(TimesTest, failed_operations_move_nothing) {
  EXPECT_EQ(moved("folder", [&] { EXPECT_NE(::mkdir(at("folder/child").c_str(), 0755), 0); }), "");
  EXPECT_EQ(moved("folder", [&] { EXPECT_NE(::rmdir(at("folder").c_str()), 0); }), "");
  EXPECT_EQ(moved("file", [&] { EXPECT_NE(::link(at("file").c_str(), at("folder").c_str()), 0); }),
            "");
}

TEST_F(TimesTest, times_survive_touch_and_cp_with_preserve) {
  set_times(at("file"), kOld, kOld);
  run_ok({"cp", "-p", at("file"), at("copy")});
  EXPECT_EQ(times_of(at("copy")).mtime, kOld);
  run_ok({"touch", "-d", "2020-02-29 12:00:00.123456789 UTC", at("copy")});
  EXPECT_EQ(times_of(at("copy")).mtime, 1'582'977'600'123'456'789);
}

}  // namespace
}  // namespace tusk::test
