// Truncating, holes, fallocate and SEEK_HOLE/SEEK_DATA.
#include <linux/falloc.h>
#include <unistd.h>

#include "support/fs_fixture.h"

namespace tusk::test {
namespace {

constexpr std::uint64_t kMiB = 1 << 20;
constexpr int kPunch = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;

class SparseTest : public FsTest {
 protected:
  Fd filled(std::size_t size) {
    put(at("file"), expected_ = pattern(size));
    return open_file(at("file"), O_RDWR);
  }
  void clear(std::size_t offset, std::size_t size) {
    if (offset + size > expected_.size()) expected_.resize(offset + size);
    expected_.replace(offset, size, size, '\0');
  }
  std::string expected_;
};

int allocate(const Fd& fd, int mode, std::uint64_t offset, std::uint64_t size) {
  return errno_of(
      ::fallocate(fd.get(), mode, static_cast<off_t>(offset), static_cast<off_t>(size)));
}

TEST_F(SparseTest, truncating_down_then_up_reads_zeros_where_the_old_bytes_were) {
  for (const std::size_t size : {100u, 70'000u, 3'000'000u}) {
    const Fd fd = filled(size);
    ASSERT_EQ(::ftruncate(fd.get(), static_cast<off_t>(size / 3)), 0);
    ASSERT_EQ(::ftruncate(fd.get(), static_cast<off_t>(size)), 0);
    clear(size / 3, size - size / 3);
    EXPECT_TRUE(get(at("file")) == expected_) << size;
  }
}

TEST_F(SparseTest, truncating_by_path_and_while_open_agree) {
  const Fd fd = filled(200'000);
  ASSERT_EQ(::truncate(at("file").c_str(), 12'345), 0);
  EXPECT_EQ(stat_of(fd.get()).st_size, 12'345);
  EXPECT_TRUE(read_at(fd.get(), 0, 200'000) == expected_.substr(0, 12'345));
}

TEST_F(SparseTest, writing_beyond_the_end_leaves_zeros_between) {
  const Fd fd = open_file(at("file"), O_RDWR | O_CREAT);
  write_at(fd.get(), "tail", 5 * kMiB + 3);
  EXPECT_EQ(stat_of(fd.get()).st_size, static_cast<off_t>(5 * kMiB + 7));
  EXPECT_TRUE(get(at("file")) == zeros(5 * kMiB + 3) + "tail");
}

TEST_F(SparseTest, a_hole_of_a_terabyte_takes_no_space) {
  const Fd fd = open_file(at("file"), O_RDWR | O_CREAT);
  ASSERT_EQ(::ftruncate(fd.get(), off_t{1} << 40), 0);
  write_at(fd.get(), "far", (std::uint64_t{1} << 40) - 3);
  EXPECT_EQ(stat_of(fd.get()).st_size, off_t{1} << 40);
  EXPECT_LT(stat_of(fd.get()).st_blocks * 512, off_t{1} << 20);
  EXPECT_EQ(read_at(fd.get(), std::uint64_t{1} << 39, 10), zeros(10));
  EXPECT_EQ(read_at(fd.get(), (std::uint64_t{1} << 40) - 3, 10), "far");
}

TEST_F(SparseTest, truncating_a_folder_is_eisdir_and_a_missing_file_enoent) {
  EXPECT_EQ(errno_of(::truncate(dir().c_str(), 0)), EISDIR);
  EXPECT_EQ(errno_of(::truncate(at("no").c_str(), 0)), ENOENT);
}

TEST_F(SparseTest, allocating_beyond_the_end_extends_with_zeros) {
  const Fd fd = filled(1000);
  ASSERT_EQ(allocate(fd, 0, 500, 100'000), 0);
  clear(1000, 99'500);
  EXPECT_EQ(stat_of(fd.get()).st_size, 100'500);
  EXPECT_TRUE(get(at("file")) == expected_);
}

TEST_F(SparseTest, allocating_with_keep_size_keeps_the_size) {
  const Fd fd = filled(1000);
  ASSERT_EQ(allocate(fd, FALLOC_FL_KEEP_SIZE, 0, 100'000), 0);
  EXPECT_EQ(stat_of(fd.get()).st_size, 1000);
  EXPECT_TRUE(get(at("file")) == expected_);
}

TEST_F(SparseTest, punching_a_hole_clears_exactly_its_range) {
  for (const std::size_t size : {1000u, 100'000u, 3'000'000u}) {
    const Fd fd = filled(size);
    ASSERT_EQ(allocate(fd, kPunch, size / 4, size / 2), 0);
    clear(size / 4, size / 2);
    EXPECT_EQ(stat_of(fd.get()).st_size, static_cast<off_t>(size));
    EXPECT_TRUE(get(at("file")) == expected_) << size;
  }
}

TEST_F(SparseTest, punching_beyond_the_end_does_not_extend) {
  const Fd fd = filled(100'000);
  ASSERT_EQ(allocate(fd, kPunch, 90'000, 1'000'000), 0);
  clear(90'000, 10'000);
  EXPECT_EQ(stat_of(fd.get()).st_size, 100'000);
  EXPECT_TRUE(get(at("file")) == expected_);
}

TEST_F(SparseTest, punching_whole_chunks_gives_their_space_back) {
  const Fd fd = filled(4 * kMiB);
  ASSERT_EQ(::fsync(fd.get()), 0);
  ASSERT_EQ(allocate(fd, kPunch, kMiB, 2 * kMiB), 0);
  ASSERT_EQ(::fsync(fd.get()), 0);
  clear(kMiB, 2 * kMiB);
  EXPECT_LE(stat_of(fd.get()).st_blocks * 512, static_cast<off_t>(2 * kMiB + 300'000));
  EXPECT_TRUE(get(at("file")) == expected_);
}

TEST_F(SparseTest, zeroing_a_range_clears_and_may_extend) {
  const Fd fd = filled(200'000);
  ASSERT_EQ(allocate(fd, FALLOC_FL_ZERO_RANGE, 150'000, 100'000), 0);
  clear(150'000, 100'000);
  EXPECT_EQ(stat_of(fd.get()).st_size, 250'000);
  EXPECT_TRUE(get(at("file")) == expected_);
}

TEST_F(SparseTest, zeroing_with_keep_size_keeps_the_size) {
  const Fd fd = filled(200'000);
  ASSERT_EQ(allocate(fd, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, 150'000, 100'000), 0);
  clear(150'000, 50'000);
  EXPECT_EQ(stat_of(fd.get()).st_size, 200'000);
  EXPECT_TRUE(get(at("file")) == expected_);
}

TEST_F(SparseTest, wrong_fallocate_arguments_are_refused) {
  const Fd fd = filled(1000);
  EXPECT_EQ(allocate(fd, 0, 0, 0), EINVAL);
  EXPECT_EQ(allocate(fd, FALLOC_FL_PUNCH_HOLE, 0, 100), EOPNOTSUPP);
  const Fd reader = open_file(at("file"), O_RDONLY);
  EXPECT_EQ(allocate(reader, 0, 0, 100), EBADF);
}

TEST_F(SparseTest, seeking_data_and_holes_finds_them) {
  const Fd fd = open_file(at("file"), O_RDWR | O_CREAT);
  ASSERT_EQ(::ftruncate(fd.get(), 4 * kMiB), 0);
  write_at(fd.get(), pattern(kMiB), kMiB);
  ASSERT_EQ(::fsync(fd.get()), 0);
  EXPECT_EQ(::lseek(fd.get(), 0, SEEK_DATA), static_cast<off_t>(kMiB));
  EXPECT_EQ(::lseek(fd.get(), 0, SEEK_HOLE), 0);
  EXPECT_EQ(::lseek(fd.get(), kMiB, SEEK_HOLE), static_cast<off_t>(2 * kMiB));
  EXPECT_EQ(::lseek(fd.get(), kMiB + 5, SEEK_DATA), static_cast<off_t>(kMiB + 5));
  EXPECT_EQ(errno_of(::lseek(fd.get(), 3 * kMiB, SEEK_DATA)), ENXIO);
  EXPECT_EQ(::lseek(fd.get(), 3 * kMiB, SEEK_HOLE), static_cast<off_t>(3 * kMiB));
}

TEST_F(SparseTest, a_dense_file_has_its_only_hole_at_the_end) {
  const Fd fd = filled(300'000);
  EXPECT_EQ(::lseek(fd.get(), 0, SEEK_DATA), 0);
  EXPECT_EQ(::lseek(fd.get(), 100, SEEK_HOLE), 300'000);
  EXPECT_EQ(errno_of(::lseek(fd.get(), 300'000, SEEK_DATA)), ENXIO);
  EXPECT_EQ(errno_of(::lseek(fd.get(), 300'001, SEEK_HOLE)), ENXIO);
}

TEST_F(SparseTest, holes_survive_a_copy_by_cp_sparse) {
  const Fd fd = open_file(at("file"), O_RDWR | O_CREAT);
  write_at(fd.get(), pattern(70'000), 3 * kMiB);
  run_ok({"cp", "--sparse=always", at("file"), at("copy")});
  EXPECT_TRUE(get(at("copy")) == zeros(3 * kMiB) + pattern(70'000));
  EXPECT_LT(stat_of(at("copy")).st_blocks * 512, static_cast<off_t>(kMiB));
}

}  // namespace
}  // namespace tusk::test
