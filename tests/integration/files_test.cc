// Opening, reading, writing and resizing regular files.
#include <sys/uio.h>
#include <unistd.h>

#include "support/fs_fixture.h"

namespace tusk::test {
namespace {

class FilesTest : public FsTest {};

TEST_F(FilesTest, content_of_every_size_around_the_tiers_is_read_back) {
  const std::vector<std::size_t> sizes = {
      0,       1,      4095,          4096,    65535,         65536,
      65537,   131072, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 3'000'000,
      10 << 20};
  for (const std::size_t size : sizes) {
    const std::string bytes = pattern(size, size);
    put(at("file"), bytes);
    EXPECT_EQ(stat_of(at("file")).st_size, static_cast<off_t>(size));
    EXPECT_TRUE(get(at("file")) == bytes) << size;
  }
}

TEST_F(FilesTest, blocks_count_the_bytes_of_a_dense_file) {
  put(at("file"), pattern(100'000));
  EXPECT_GE(stat_of(at("file")).st_blocks * 512, 100'000);
  EXPECT_LT(stat_of(at("file")).st_blocks * 512, 300'000);
}

TEST_F(FilesTest, exclusive_create_of_an_existing_name_is_eexist) {
  put(at("file"), "kept");
  EXPECT_EQ(errno_of_open(at("file"), O_WRONLY | O_CREAT | O_EXCL), EEXIST);
  EXPECT_EQ(errno_of_open(at("file"), O_WRONLY | O_CREAT | O_EXCL | O_TRUNC), EEXIST);
  EXPECT_EQ(get(at("file")), "kept");
}

TEST_F(FilesTest, exclusive_create_does_not_follow_a_dangling_symlink) {
  ASSERT_EQ(::symlink("absent", at("link").c_str()), 0);
  EXPECT_EQ(errno_of_open(at("link"), O_WRONLY | O_CREAT | O_EXCL), EEXIST);
  EXPECT_FALSE(present(at("absent")));
}

TEST_F(FilesTest, create_through_a_dangling_symlink_makes_its_target) {
  ASSERT_EQ(::symlink("absent", at("link").c_str()), 0);
  put(at("link"), "x");
  EXPECT_EQ(get(at("absent")), "x");
}

TEST_F(FilesTest, opening_with_o_trunc_empties_the_file) {
  put(at("file"), pattern(200'000));
  const Fd fd = open_file(at("file"), O_WRONLY | O_TRUNC);
  EXPECT_EQ(stat_of(fd.get()).st_size, 0);
  write_at(fd.get(), "new", 0);
  EXPECT_EQ(get(at("file")), "new");
}

TEST_F(FilesTest, opening_a_folder_to_write_is_eisdir) {
  EXPECT_EQ(errno_of_open(dir(), O_WRONLY), EISDIR);
  EXPECT_EQ(errno_of_open(dir(), O_RDWR), EISDIR);
  EXPECT_EQ(errno_of_open(dir(), O_RDONLY | O_CREAT), EISDIR);
}

TEST_F(FilesTest, opening_a_file_as_a_folder_is_enotdir) {
  put(at("file"), "");
  EXPECT_EQ(errno_of_open(at("file"), O_RDONLY | O_DIRECTORY), ENOTDIR);
}

TEST_F(FilesTest, opening_a_symlink_with_o_nofollow_is_eloop) {
  put(at("file"), "");
  ASSERT_EQ(::symlink("file", at("link").c_str()), 0);
  EXPECT_EQ(errno_of_open(at("link"), O_RDONLY | O_NOFOLLOW), ELOOP);
}

TEST_F(FilesTest, appends_of_two_handles_do_not_overwrite_each_other) {
  const Fd a = open_file(at("log"), O_WRONLY | O_CREAT | O_APPEND);
  const Fd b = open_file(at("log"), O_WRONLY | O_APPEND);
  std::string expected;
  for (int i = 0; i < 100; i++) {
    append_to(a.get(), "a" + std::to_string(i));
    append_to(b.get(), "b" + std::to_string(i));
    expected += "a" + std::to_string(i) + "b" + std::to_string(i);
  }
  EXPECT_EQ(get(at("log")), expected);
}

TEST_F(FilesTest, append_goes_to_the_end_also_after_a_seek_and_a_truncate) {
  const Fd fd = open_file(at("log"), O_RDWR | O_CREAT | O_APPEND);
  append_to(fd.get(), "0123456789");
  ASSERT_EQ(::lseek(fd.get(), 2, SEEK_SET), 2);
  append_to(fd.get(), "end");
  EXPECT_EQ(get(at("log")), "0123456789end");
  ASSERT_EQ(::ftruncate(fd.get(), 4), 0);
  append_to(fd.get(), "more");
  EXPECT_EQ(get(at("log")), "0123more");
}

TEST_F(FilesTest, concurrent_appenders_lose_no_line) {
  constexpr int kWriters = 4, kLines = 200;
  std::vector<Child> writers;
  for (int w = 0; w < kWriters; w++) {
    const std::string script = "i=0; while [ $i -lt " + std::to_string(kLines) + " ]; do echo w" +
                               std::to_string(w) + " >> '" + at("log").string() +
                               "'; i=$((i+1)); done";
    writers.emplace_back(std::vector<std::string>{"sh", "-c", script});
  }
  for (Child& writer : writers) EXPECT_TRUE(writer.wait(std::chrono::seconds(60)).ok());
  const std::string log = get(at("log"));
  EXPECT_EQ(log.size(), std::size_t{kWriters} * kLines * 3);
  for (std::size_t i = 0; i < log.size(); i += 3) ASSERT_EQ(log[i], 'w') << i;
}

TEST_F(FilesTest, written_bytes_are_seen_at_once_by_another_handle) {
  const Fd writer = open_file(at("file"), O_WRONLY | O_CREAT);
  const Fd reader = open_file(at("file"), O_RDONLY);
  for (std::uint64_t i = 0; i < 20; i++) {
    const std::string bytes = pattern(5000, i);
    write_at(writer.get(), bytes, i * 4000);
    EXPECT_TRUE(read_at(reader.get(), i * 4000, 5000) == bytes) << i;
  }
}

TEST_F(FilesTest, reading_at_and_beyond_the_end_gives_nothing) {
  put(at("file"), "abc");
  const Fd fd = open_file(at("file"), O_RDONLY);
  EXPECT_EQ(read_at(fd.get(), 3, 10), "");
  EXPECT_EQ(read_at(fd.get(), 1 << 20, 10), "");
  EXPECT_EQ(read_at(fd.get(), 1, 10), "bc");
}

TEST_F(FilesTest, writing_through_a_handle_for_reading_is_ebadf) {
  put(at("file"), "abc");
  const Fd fd = open_file(at("file"), O_RDONLY);
  EXPECT_EQ(errno_of(::write(fd.get(), "x", 1)), EBADF);
  EXPECT_EQ(errno_of(::ftruncate(fd.get(), 0)), EINVAL);
}

TEST_F(FilesTest, vectored_writes_and_reads_keep_their_order) {
  std::string first = pattern(3000, 1), second = pattern(70'000, 2);
  const Fd fd = open_file(at("file"), O_RDWR | O_CREAT);
  const iovec parts[2] = {{first.data(), first.size()}, {second.data(), second.size()}};
  ASSERT_EQ(::pwritev(fd.get(), parts, 2, 10), 73'000);
  EXPECT_TRUE(get(at("file")) == zeros(10) + first + second);
}

TEST_F(FilesTest, overwriting_in_the_middle_changes_nothing_else) {
  std::string expected = pattern(1'500'000);
  put(at("file"), expected);
  const Fd fd = open_file(at("file"), O_RDWR);
  for (std::uint64_t offset : {0u, 4095u, 65'530u, 700'001u, 1'048'570u, 1'499'990u}) {
    const std::string bytes = pattern(10, offset + 7);
    write_at(fd.get(), bytes, offset);
    expected.replace(offset, bytes.size(), bytes);
  }
  EXPECT_TRUE(get(at("file")) == expected);
}

TEST_F(FilesTest, negative_and_absurd_sizes_are_refused) {
  put(at("file"), "abc");
  EXPECT_EQ(errno_of(::truncate(at("file").c_str(), -1)), EINVAL);
  const Fd fd = open_file(at("file"), O_RDWR);
  EXPECT_EQ(errno_of(::pwrite(fd.get(), "x", 1, -1)), EINVAL);
  EXPECT_EQ(errno_of(::pwrite(fd.get(), "x", 1, INT64_MAX - 1)), EFBIG);
  EXPECT_EQ(get(at("file")), "abc");
}

TEST_F(FilesTest, o_direct_reads_and_writes_or_is_einval) {
  const Fd fd(::open(at("file").c_str(), O_RDWR | O_CREAT | O_DIRECT | O_CLOEXEC, 0644));
  if (!fd) {
    EXPECT_EQ(errno, EINVAL);
    return;
  }
  alignas(4096) static char block[4096];
  std::fill(std::begin(block), std::end(block), 'd');
  ASSERT_EQ(::pwrite(fd.get(), block, sizeof block, 0), 4096);
  EXPECT_EQ(get(at("file")), std::string(4096, 'd'));
}

TEST_F(FilesTest, a_temporary_file_without_a_name_works_or_is_eopnotsupp) {
  const int error = errno_of_open(dir(), O_RDWR | O_TMPFILE);
  EXPECT_TRUE(error == 0 || error == EOPNOTSUPP) << error;
}

}  // namespace
}  // namespace tusk::test
