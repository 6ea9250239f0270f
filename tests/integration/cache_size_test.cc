// What the cache is made for in size: values of 8 MiB, 100,000 keys.
#include <dirent.h>

#include <chrono>
#include <fstream>
#include <thread>

#include "support/keyed_fixture.h"

namespace tusk::test {
namespace {

using namespace std::chrono_literals;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kMeasurable = false;
#else
constexpr bool kMeasurable = true;
#endif

constexpr std::size_t kLongest = 8u << 20;

class CacheSize : public KeyedTest {
 protected:
  // Of the driver, in KiB: "VmRSS:" now, "VmHWM:" at most so far.
  std::int64_t memory(const std::string& which) const {
    std::ifstream file("/proc/" + std::to_string(mount_->driver()) + "/status");
    std::string word;
    while (file >> word)
      if (word == which) break;
    std::int64_t kib = -1;
    file >> kib;
    return kib;
  }
  std::string digest(const std::string& key) {
    return sql("select md5(tusk_cache.get_bytes($1))", {key});
  }
};

TEST_F(CacheSize, a_value_of_8_mib_comes_back_byte_for_byte) {
  const std::string bytes = pattern(kLongest, 7);
  EXPECT_EQ(write("cache/large", {bytes}, O_CREAT), 0);
  EXPECT_TRUE(read("cache/large") == bytes);
  EXPECT_EQ(stat_of(at("cache/large")).st_size, static_cast<off_t>(kLongest));
  ASSERT_EQ(errno_of(::fsync(open_file(at("cache/large"), O_WRONLY).get())), 0);
  EXPECT_EQ(sql("select octet_length(tusk_cache.get_bytes('large'))"), "8388608");
  // From the database, not from the memory of the mount that wrote it.
  const SidecarMount other(database_);
  EXPECT_TRUE(get(other.path() / "cache/large") == bytes);
}

TEST_F(CacheSize, a_byte_more_is_efbig_and_the_value_stays) {
  put(at("cache/k"), "before");
  EXPECT_EQ(write("cache/k", {zeros(kLongest), "x"}), EFBIG);
  EXPECT_EQ(write("cache/k", {zeros(kLongest + 1)}), EFBIG);
  EXPECT_EQ(errno_of(::truncate(at("cache/k").c_str(), static_cast<off_t>(kLongest + 1))), EFBIG);
  EXPECT_EQ(read("cache/k"), "before");
  EXPECT_EQ(write("cache/new", {zeros(kLongest), "x"}, O_CREAT), EFBIG);
  EXPECT_EQ(open_errno("cache/new"), ENOENT);
}

TEST_F(CacheSize, a_listing_of_100000_keys_takes_no_memory) {
  if (!kMeasurable) GTEST_SKIP() << "memory is not measured under sanitizers";
  for (int page = 0; page < 10; page++)
    sql("select tusk_cache.mset((select jsonb_object_agg('user:' || i || ':profile', i) "
        "from generate_series($1::int, $1::int + 9999) i))",
        {std::to_string(page * 10'000)});
  const auto list = [this] { return run_ok({"sh", "-c", "ls -U \"$0\" | wc -l", at("cache")}); };
  EXPECT_EQ(list(), "100000\n");
  const std::int64_t before = memory("VmRSS:");
  ASSERT_GT(before, 0);
  for (int i = 0; i < 3; i++) EXPECT_EQ(list(), "100000\n");
  EXPECT_LT(memory("VmRSS:"), before + (4 << 10)) << "a listing keeps nothing";
  // All of the names alone would be 3 MiB, all that a mount may know of a key 40 MiB.
  EXPECT_LT(memory("VmHWM:"), before + (16 << 10)) << "and had no more than a page at a time";
}

// ls -l is told all with the names.
TEST_F(CacheSize, a_long_listing_does_not_ask_for_each) {
  sql("select tusk_cache.mset((select jsonb_object_agg('k' || i, repeat('x', i)) "
      "from generate_series(1, 2500) i))");
  // A connection counts what it did when it ends; the mount makes another.
  const auto transactions = [this] {
    sql("select count(pg_terminate_backend(pid)) from pg_stat_activity "
        "where application_name = 'tusk-cache' and datname = current_database()");
    std::this_thread::sleep_for(300ms);
    return std::stoll(
        sql("select xact_commit from pg_stat_database where datname = current_database()"));
  };
  const auto before = transactions();
  const std::string listed = run_ok({"ls", "-l", at("cache")});
  EXPECT_EQ(lines_of(listed).size(), 2501u);
  EXPECT_TRUE(holds(listed, " 2502 ")) << "the longest: 2,500 in quotes";
  const auto asked = transactions() - before;
  EXPECT_TRUE(asked >= 3 && asked < 100) << asked;
}

// What a listing told the kernel is no older than what is known otherwise.
TEST_F(CacheSize, a_listing_while_keys_change_shows_no_old_value) {
  for (int i = 0; i < 50; i++) put(at("cache/k" + std::to_string(i)), "0");
  for (int round = 1; round <= 40; round++) {
    DIR* folder = ::opendir(at("cache").c_str());
    ASSERT_NE(folder, nullptr);
    const std::unique_ptr<DIR, int (*)(DIR*)> closes(folder, &::closedir);
    const std::string value(static_cast<std::size_t>(round), 'x');
    for (int i = 0; i < 50; i++) {
      if (i == 10) ::readdir(folder);  // from here on the page is known
      put(at("cache/k" + std::to_string(i)), value);
    }
    ASSERT_EQ(remove(at("cache/k49")), 0);
    std::size_t seen = 0;
    for (const dirent* each = ::readdir(folder); each != nullptr; each = ::readdir(folder)) {
      const std::string name = std::string("cache/") + each->d_name;
      if (each->d_name[0] != 'k') continue;
      seen++;
      if (present(at(name))) {
        ASSERT_EQ(read(name), value) << name;
      }
    }
    EXPECT_GE(seen, 49u);
    EXPECT_FALSE(present(at("cache/k49")));
    for (int i = 0; i < 49; i++)
      EXPECT_EQ(stat_of(at("cache/k" + std::to_string(i))).st_size, round) << i;
  }
}

}  // namespace
}  // namespace tusk::test
