// Files and folders that have lost their names while open, and memory maps.
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>

#include "support/fs_fixture.h"
#include "support/fs_server.h"
#include "support/fs_sql.h"

namespace tusk::test {
namespace {

class UnlinkedTest : public FsTest {};
class UnlinkedAtTheEndTest : public OwnMountTest {};
class MapTest : public FsTest {};

TEST_F(UnlinkedTest, an_open_file_without_a_name_is_still_read_written_and_resized) {
  for (const std::size_t size : {10u, 100'000u, 2'000'000u}) {
    const std::string bytes = pattern(size, size);
    put(at("file"), bytes);
    const Fd fd = open_file(at("file"), O_RDWR);
    ASSERT_EQ(::unlink(at("file").c_str()), 0);
    EXPECT_EQ(stat_of(fd.get()).st_nlink, 0u);
    EXPECT_TRUE(read_at(fd.get(), 0, size) == bytes);
    write_at(fd.get(), "more", size);
    EXPECT_EQ(read_at(fd.get(), size, 10), "more");
    ASSERT_EQ(::ftruncate(fd.get(), 5), 0);
    EXPECT_EQ(read_at(fd.get(), 0, 100), bytes.substr(0, 5));
    EXPECT_EQ(::fchmod(fd.get(), 0600), 0);
    EXPECT_EQ(::fsync(fd.get()), 0);
  }
}

TEST_F(UnlinkedTest, a_file_unlinked_after_it_was_committed_stays_readable) {
  const std::string bytes = pattern(300'000);
  put(at("file"), bytes);
  const Fd fd = open_file(at("file"), O_RDWR);
  ASSERT_EQ(::fsync(fd.get()), 0);
  ASSERT_EQ(::unlink(at("file").c_str()), 0);
  ASSERT_EQ(::fsync(open_file(dir(), O_RDONLY).get()), 0);
  write_at(fd.get(), "X", 100);
  ASSERT_EQ(::fsync(fd.get()), 0);
  EXPECT_TRUE(read_at(fd.get(), 101, 200'000) == bytes.substr(101, 200'000));
  EXPECT_EQ(read_at(fd.get(), 100, 1), "X");
}

TEST_F(UnlinkedTest, a_new_file_of_the_same_name_is_another_file) {
  put(at("file"), "old");
  const Fd old = open_file(at("file"), O_RDONLY);
  ASSERT_EQ(::unlink(at("file").c_str()), 0);
  put(at("file"), "new");
  EXPECT_EQ(read_at(old.get(), 0, 10), "old");
  EXPECT_EQ(get(at("file")), "new");
  EXPECT_NE(stat_of(old.get()).st_ino, stat_of(at("file")).st_ino);
}

TEST_F(UnlinkedTest, a_nameless_file_cannot_get_a_name_again) {
  put(at("file"), "x");
  const Fd fd = open_file(at("file"), O_RDWR);
  ASSERT_EQ(::unlink(at("file").c_str()), 0);
  const std::string self = "/proc/self/fd/" + std::to_string(fd.get());
  EXPECT_EQ(
      errno_of(::linkat(AT_FDCWD, self.c_str(), AT_FDCWD, at("again").c_str(), AT_SYMLINK_FOLLOW)),
      ENOENT);
}

TEST_F(UnlinkedTest, a_removed_folder_that_is_open_is_empty_and_takes_nothing) {
  make_folder(at("folder"));
  const Fd fd = open_file(at("folder"), O_RDONLY | O_DIRECTORY);
  ASSERT_EQ(::rmdir(at("folder").c_str()), 0);
  EXPECT_EQ(errno_of(::mkdirat(fd.get(), "x", 0755)), ENOENT);
  EXPECT_EQ(errno_of(::openat(fd.get(), "x", O_CREAT | O_WRONLY, 0644)), ENOENT);
  EXPECT_EQ(stat_of(fd.get()).st_nlink, 0u);
}

// The kernel does not tell of all closes when a mount ends.
TEST_F(UnlinkedAtTheEndTest, what_is_open_without_a_name_goes_with_the_mount) {
  const Server server;
  Mount mount({.database = server.conninfo()});
  const Fd file = open_file(mount.path() / "file", O_RDWR | O_CREAT);
  write_at(file.get(), pattern(3'000'000), 0);
  ASSERT_EQ(::unlink((mount.path() / "file").c_str()), 0);
  ASSERT_EQ(::fsync(file.get()), 0);
  const auto left = [&](const std::string& table) {
    return Sql(server.conninfo()).value("select count(*) from tusk." + table);
  };
  EXPECT_NE(left("file_chunks"), "0");
  EXPECT_EQ(mount.stop_by(SIGTERM).status, 0) << mount.log();
  for (const char* table : {"staging", "file_chunks", "files"})
    EXPECT_EQ(left(table), "0") << table;
}

TEST_F(MapTest, a_shared_map_writes_the_file) {
  std::string expected = pattern(300'000);
  put(at("file"), expected);
  const Fd fd = open_file(at("file"), O_RDWR);
  void* map = ::mmap(nullptr, expected.size(), PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
  ASSERT_NE(map, MAP_FAILED);
  EXPECT_EQ(std::memcmp(map, expected.data(), expected.size()), 0);
  for (const std::size_t offset : {0u, 65'535u, 299'990u}) {
    std::memcpy(static_cast<char*>(map) + offset, "mapped", 6);
    expected.replace(offset, 6, "mapped");
  }
  EXPECT_EQ(::msync(map, expected.size(), MS_SYNC), 0);
  EXPECT_EQ(::munmap(map, expected.size()), 0);
  EXPECT_TRUE(get(at("file")) == expected);
}

TEST_F(MapTest, a_map_sees_what_write_writes_and_the_reverse) {
  put(at("file"), zeros(8192));
  const Fd fd = open_file(at("file"), O_RDWR);
  auto* map =
      static_cast<char*>(::mmap(nullptr, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0));
  ASSERT_NE(map, MAP_FAILED);
  write_at(fd.get(), "written", 5000);
  EXPECT_EQ(std::string(map + 5000, 7), "written");
  std::memcpy(map + 100, "mapped", 6);
  EXPECT_EQ(read_at(fd.get(), 100, 6), "mapped");
  EXPECT_EQ(::munmap(map, 8192), 0);
}

TEST_F(MapTest, a_map_outlives_the_handle_and_its_writes_are_kept) {
  put(at("file"), zeros(70'000));
  {
    Fd fd = open_file(at("file"), O_RDWR);
    auto* map = static_cast<char*>(
        ::mmap(nullptr, 70'000, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0));
    ASSERT_NE(map, MAP_FAILED);
    fd.reset();
    std::memcpy(map + 66'000, "late", 4);
    EXPECT_EQ(::munmap(map, 70'000), 0);
  }
  EXPECT_EQ(get(at("file")).substr(66'000, 4), "late");
}

TEST_F(MapTest, a_private_map_leaves_the_file_alone) {
  put(at("file"), "original");
  const Fd fd = open_file(at("file"), O_RDWR);
  auto* map =
      static_cast<char*>(::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd.get(), 0));
  ASSERT_NE(map, MAP_FAILED);
  std::memcpy(map, "changed!", 8);
  EXPECT_EQ(::munmap(map, 4096), 0);
  EXPECT_EQ(get(at("file")), "original");
}

TEST_F(MapTest, a_program_runs_from_the_tree) {
  std::filesystem::copy_file("/bin/true", at("true"));
  ASSERT_EQ(::chmod(at("true").c_str(), 0755), 0);
  EXPECT_EQ(run({at("true")}).status, 0);
}

}  // namespace
}  // namespace tusk::test
