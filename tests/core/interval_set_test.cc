#include "core/interval_set.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

namespace tusk::core {
namespace {

using store::ChunkRange;

TEST(IntervalSet, touching_ranges_become_one) {
  IntervalSet set;
  set.add(0, 2);
  set.add(4, 6);
  set.add(2, 4);
  EXPECT_EQ(set.ranges(), (std::vector<ChunkRange>{{0, 6}}));
}

TEST(IntervalSet, removing_the_middle_leaves_both_ends) {
  IntervalSet set;
  set.add(0, 10);
  set.remove(3, 5);
  EXPECT_EQ(set.ranges(), (std::vector<ChunkRange>{{0, 3}, {5, 10}}));
}

TEST(IntervalSet, within_cuts_ranges_to_the_window) {
  const IntervalSet set(std::vector<ChunkRange>{{0, 4}, {6, 9}});
  EXPECT_EQ(set.within(2, 7), (std::vector<ChunkRange>{{2, 4}, {6, 7}}));
  EXPECT_EQ(set.count_within(2, 7), 3);
  EXPECT_TRUE(set.within(4, 6).empty());
}

TEST(IntervalSet, agrees_with_a_plain_set_under_random_changes) {
  std::mt19937 random(20261123);
  IntervalSet set;
  std::set<std::int64_t> plain;
  for (int step = 0; step < 5000; step++) {
    const std::int64_t first = random() % 100, last = first + random() % 20;
    if (random() % 2) {
      set.add(first, last);
      for (auto i = first; i < last; i++) plain.insert(i);
    } else {
      set.remove(first, last);
      for (auto i = first; i < last; i++) plain.erase(i);
    }
    for (std::int64_t i = 0; i < 120; i++)
      ASSERT_EQ(set.contains(i), plain.contains(i)) << "step " << step;
    ASSERT_EQ(set.count_within(0, 200), static_cast<std::int64_t>(plain.size()));
    const auto ranges = set.ranges();
    for (std::size_t i = 1; i < ranges.size(); i++) ASSERT_LT(ranges[i - 1].last, ranges[i].first);
  }
}

}  // namespace
}  // namespace tusk::core
