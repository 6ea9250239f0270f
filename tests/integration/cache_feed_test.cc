// What others change in the cache is seen through a mount, and after it nothing that is older.
#include <atomic>
#include <chrono>
#include <functional>
#include <thread>

#include "support/keyed_fixture.h"

namespace tusk::test {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

class CacheFeed : public KeyedTest {
 protected:
  static constexpr int kChanges = 300;

  // Sets n to 1, 2, 3 …; readers look all the time, through names and through open files.
  void follow(const std::function<void(int)>& set) {
    set(0);
    ASSERT_TRUE(eventually([this] { return present(at("cache/n")); }));
    std::atomic<int> newest = 0, older = 0, looks = 0;
    // Several at once: none may see less than any saw before it began to look.
    const auto look_on = [&](const std::stop_token& stop) {
      while (!stop.stop_requested()) {
        const int before = newest;
        const int seen = std::stoi(read("cache/n"));
        if (seen < before) older++;
        for (int known = newest; known < seen && !newest.compare_exchange_weak(known, seen);) {
        }
        looks++;
      }
    };
    std::vector<Clock::duration> delays;
    {
      std::jthread one(look_on), two(look_on);
      for (int i = 1; i <= kChanges; i++) {
        set(i);
        const auto start = Clock::now();
        while (newest < i && Clock::now() - start < 20s) std::this_thread::yield();
        delays.push_back(Clock::now() - start);
        ASSERT_GE(newest, i);
      }
    }
    EXPECT_EQ(older, 0) << "of " << looks;
    std::ranges::sort(delays);
    // Most of them: what a busy machine holds up is not the feed's fault.
    EXPECT_LT(delays[kChanges / 2], 100ms);
    RecordProperty("median_us", std::to_string(delays[kChanges / 2] / 1us));
    RecordProperty("p99_us", std::to_string(delays[kChanges * 99 / 100] / 1us));
  }
};

TEST_F(CacheFeed, a_value_set_by_sql_is_seen_soon_and_no_older_one_after_it) {
  follow([this](int i) { sql("select tusk_cache.set('n', $1::jsonb)", {std::to_string(i)}); });
}

TEST_F(CacheFeed, a_value_set_by_another_mount_is_seen_soon_and_no_older_one_after_it) {
  const SidecarMount other(database_);
  follow([&](int i) { put(other.path() / "cache/n", std::to_string(i)); });
}

TEST_F(CacheFeed, of_two_mounts_that_write_both_end_with_the_same) {
  const SidecarMount other(database_);
  {
    std::jthread elsewhere([&] {
      for (int i = 0; i < 300; i++)
        put(other.path() / "cache" / ("k" + std::to_string(i % 3)), "b" + std::to_string(i));
    });
    for (int i = 0; i < 300; i++) {
      put(at("cache/k" + std::to_string(i % 3)), "a" + std::to_string(i));
      read("cache/k" + std::to_string(i % 3));
    }
  }
  for (int i = 0; i < 3; i++) {
    const std::string name = "k" + std::to_string(i);
    for (const Path& path : {at("cache/" + name), other.path() / "cache" / name})
      ASSERT_EQ(errno_of(::fsync(open_file(path, O_WRONLY).get())), 0);
    const auto stored = [&] {
      return sql("select convert_from(tusk_cache.get_bytes($1), 'UTF8')", {name});
    };
    const auto agree = [&] {
      return read("cache/" + name) == stored() && get(other.path() / "cache" / name) == stored();
    };
    const auto deadline = Clock::now() + 20s;
    while (!agree() && Clock::now() < deadline) std::this_thread::sleep_for(1ms);
    EXPECT_TRUE(agree()) << name;
  }
}

}  // namespace
}  // namespace tusk::test
