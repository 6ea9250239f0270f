// The driver's memory has a bound, whatever is written and walked.
#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include "support/fs_fixture.h"

namespace tusk::test {
namespace {

// Sanitizers keep freed memory and shadows of all: their figures say nothing about the product.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kMeasurable = false;
#else
constexpr bool kMeasurable = true;
#endif
constexpr std::int64_t kBoundKiB = 400 << 10;

std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

// The most memory that a process has had resident so far.
std::int64_t peak_kib(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/status");
  std::string word;
  while (file >> word)
    if (word == "VmHWM:") break;
  std::int64_t kib = -1;
  file >> kib;
  return kib;
}

class MemoryTest : public OwnMountTest {
 protected:
  void SetUp() override {
    OwnMountTest::SetUp();
    if (!kMeasurable) GTEST_SKIP() << "memory is not measured under sanitizers";
  }
};

TEST_F(MemoryTest, a_large_file_is_streamed_in_and_out) {
  const std::uint64_t mib = from_environment("TUSKFS_TEST_LARGE_FILE_MIB", 1024);
  Mount mount;
  const std::string block = pattern(1 << 20);
  {
    const Fd fd = open_file(mount.path() / "large", O_WRONLY | O_CREAT);
    for (std::uint64_t i = 0; i < mib; i++) write_at(fd.get(), block, i << 20);
    ASSERT_EQ(::fsync(fd.get()), 0);
  }
  EXPECT_LT(peak_kib(mount.driver()), kBoundKiB) << "while writing";
  mount.remount();
  {
    const Fd fd = open_file(mount.path() / "large", O_RDONLY);
    for (std::uint64_t i = 0; i < mib; i++)
      ASSERT_TRUE(read_at(fd.get(), i << 20, 1 << 20) == block) << i;
  }
  EXPECT_LT(peak_kib(mount.driver()), kBoundKiB) << "while reading";
  expect_sound(mount);
}

TEST_F(MemoryTest, many_files_are_made_and_walked) {
  const std::uint64_t count = from_environment("TUSKFS_TEST_MANY_FILES", 100'000);
  Mount mount;
  for (std::uint64_t i = 0; i < count; i++) {
    const Path folder = mount.path() / ("d" + std::to_string(i / 1000));
    if (i % 1000 == 0) make_folder(folder);
    put(folder / ("f" + std::to_string(i)), "x");
  }
  EXPECT_LT(peak_kib(mount.driver()), kBoundKiB) << "while making";
  mount.remount();
  const std::string listed = run_ok({"sh", "-c", "find . -type f -size 1 | wc -l"},
                                    {.cwd = mount.path(), .timeout = std::chrono::minutes(10)});
  EXPECT_EQ(std::stoull(listed), count);
  EXPECT_LT(peak_kib(mount.driver()), kBoundKiB) << "while walking";
  expect_sound(mount);
}

}  // namespace
}  // namespace tusk::test
