// copy_file_range: right bytes everywhere, shared chunks in the database.
#include <unistd.h>

#include "support/fs_fixture.h"
#include "support/fs_sql.h"

namespace tusk::test {
namespace {

constexpr std::uint64_t kChunk = 64 << 10;

void copy(const Fd& from, std::uint64_t from_offset, const Fd& to, std::uint64_t to_offset,
          std::size_t size) {
  auto in = static_cast<off64_t>(from_offset), out = static_cast<off64_t>(to_offset);
  while (size > 0) {
    const ssize_t n = ::copy_file_range(from.get(), &in, to.get(), &out, size, 0);
    if (n <= 0) throw_errno("copy_file_range");
    size -= static_cast<std::size_t>(n);
  }
}

class CopyRangeTest : public FsTest {
 protected:
  void fill(std::size_t size) {
    put(at("from"), bytes_ = pattern(size));
    from_ = open_file(at("from"), O_RDWR);
    to_ = open_file(at("to"), O_RDWR | O_CREAT);
  }
  std::string bytes_;
  Fd from_, to_;
};

TEST_F(CopyRangeTest, whole_files_of_each_tier_are_copied) {
  for (const std::size_t size : {10u, 100'000u, 3'000'000u}) {
    fill(size);
    copy(from_, 0, to_, 0, size);
    EXPECT_TRUE(get(at("to")) == bytes_) << size;
    ASSERT_EQ(::ftruncate(to_.get(), 0), 0);
  }
}

TEST_F(CopyRangeTest, ranges_off_every_boundary_are_copied) {
  fill(1'000'000);
  write_at(to_.get(), pattern(500'000, 9), 0);
  copy(from_, 12'345, to_, 300'001, 600'000);
  EXPECT_TRUE(get(at("to")) ==
              pattern(500'000, 9).substr(0, 300'001) + bytes_.substr(12'345, 600'000));
}

TEST_F(CopyRangeTest, copying_within_a_file_works_unless_it_overlaps) {
  fill(400'000);
  copy(from_, 0, from_, 200'000, 100'000);
  std::string expected = bytes_;
  expected.replace(200'000, 100'000, bytes_, 0, 100'000);
  EXPECT_TRUE(get(at("from")) == expected);
  off64_t in = 0, out = 1000;
  EXPECT_EQ(errno_of(::copy_file_range(from_.get(), &in, from_.get(), &out, 5000, 0)), EINVAL);
}

TEST_F(CopyRangeTest, a_copy_does_not_follow_later_changes_of_its_source) {
  fill(4 * kChunk);
  ASSERT_EQ(::fsync(from_.get()), 0);
  copy(from_, 0, to_, 0, bytes_.size());
  write_at(from_.get(), "CHANGED", 5);
  EXPECT_TRUE(get(at("to")) == bytes_);
  write_at(to_.get(), "other", kChunk);
  EXPECT_TRUE(read_at(from_.get(), kChunk, 100) == bytes_.substr(kChunk, 100));
}

TEST_F(CopyRangeTest, copying_from_beyond_the_end_gives_nothing) {
  fill(1000);
  off64_t in = 2000, out = 0;
  EXPECT_EQ(::copy_file_range(from_.get(), &in, to_.get(), &out, 100, 0), 0);
  EXPECT_EQ(stat_of(to_.get()).st_size, 0);
}

TEST_F(CopyRangeTest, holes_and_bytes_not_yet_committed_are_copied_right) {
  fill(0);
  write_at(from_.get(), pattern(kChunk), 10 * kChunk);
  ASSERT_EQ(::ftruncate(from_.get(), 20 * kChunk), 0);
  copy(from_, 0, to_, 0, 20 * kChunk);
  EXPECT_TRUE(get(at("to")) == zeros(10 * kChunk) + pattern(kChunk) + zeros(9 * kChunk));
}

class ChunkSharingTest : public MountTest {
 protected:
  void copy_whole(const std::string& from, const std::string& to) {
    const Fd source = open_file(at(from), O_RDONLY), target = open_file(at(to), O_RDWR | O_CREAT);
    copy(source, 0, target, 0, static_cast<std::size_t>(stat_of(at(from)).st_size));
    ASSERT_EQ(::fsync(target.get()), 0);
  }
  std::int64_t shared_chunks(const std::string& name) {
    return Sql(mount().dsn())
        .number(
            "select count(*) from tusk.file_chunks where src_file_id is not null and data is "
            "null and file_id = tusk.resolve($1)",
            {tree_path(name)});
  }
};

TEST_F(ChunkSharingTest, chunks_in_the_database_are_shared_and_outlive_their_source) {
  const std::string bytes = pattern(32 * kChunk);
  put(at("from"), bytes);
  mount().remount();
  copy_whole("from", "to");
  EXPECT_EQ(shared_chunks("to"), 32);
  EXPECT_TRUE(get(at("to")) == bytes);
  ASSERT_EQ(::unlink(at("from").c_str()), 0);
  mount().remount();
  EXPECT_TRUE(get(at("to")) == bytes);
}

TEST_F(ChunkSharingTest, chunks_that_are_in_memory_too_are_shared_as_well) {
  put(at("from"), pattern(32 * kChunk));
  ASSERT_EQ(::fsync(open_file(at("from"), O_RDONLY).get()), 0);
  copy_whole("from", "to");
  EXPECT_EQ(shared_chunks("to"), 32);
}

TEST_F(ChunkSharingTest, shared_chunks_go_when_the_last_copy_goes) {
  Sql sql(mount().dsn());
  const auto chunks = [&] { return sql.number("select count(*) from tusk.file_chunks"); };
  const auto before = chunks();
  put(at("a"), pattern(32 * kChunk));
  ASSERT_EQ(::fsync(open_file(at("a"), O_RDONLY).get()), 0);
  run_ok({"cp", "--reflink=never", at("a"), at("b")});
  {
    const Fd a = open_file(at("a"), O_RDONLY), c = open_file(at("c"), O_RDWR | O_CREAT);
    copy(a, 0, c, 0, 32 * kChunk);
    ASSERT_EQ(::fsync(c.get()), 0);
  }
  for (const char* name : {"a", "c", "b"}) ASSERT_EQ(::unlink(at(name).c_str()), 0);
  ASSERT_EQ(::fsync(open_file(dir(), O_RDONLY).get()), 0);
  // One after the other, as the trash is emptied.
  for (const char* name : {"a", "c", "b"}) {
    EXPECT_GT(chunks(), before);
    sql.value("select tusk.delete_files(array_agg(id)) from tusk.files where filename = $1",
              {name});
  }
  EXPECT_EQ(chunks(), before);
}

}  // namespace
}  // namespace tusk::test
