// Quantiles of a histogram against those of the sorted numbers.
#include "tuskfs/base/histogram.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace tusk {
namespace {

using std::chrono::nanoseconds;

TEST(Histogram, is_empty_at_first) {
  const Histogram none;
  EXPECT_EQ(none.count(), 0u);
  EXPECT_EQ(none.quantile(0.5), nanoseconds(0));
  EXPECT_EQ(none.most(), nanoseconds(0));
}

TEST(Histogram, small_and_extreme_numbers_have_a_place) {
  Histogram times;
  times.add(nanoseconds(-5));
  times.add(nanoseconds(7));
  EXPECT_EQ(times.quantile(0.5), nanoseconds(0));
  EXPECT_EQ(times.quantile(1), nanoseconds(7));
  times.add(nanoseconds::max());
  EXPECT_EQ(times.quantile(1), nanoseconds::max());
  EXPECT_EQ(times.most(), nanoseconds::max());
}

TEST(Histogram, quantiles_are_at_most_an_eighth_too_high) {
  std::mt19937_64 random(1);
  for (int round = 0; round < 20; round++) {
    Histogram times;
    std::vector<std::int64_t> all;
    std::int64_t sum = 0;
    for (int i = 0; i < 5000; i++) {
      const auto ns = static_cast<std::int64_t>(random() >> (random() % 40 + 20));
      all.push_back(ns);
      sum += ns;
      times.add(nanoseconds(ns));
    }
    std::ranges::sort(all);
    EXPECT_EQ(times.count(), all.size());
    EXPECT_EQ(times.sum(), nanoseconds(sum));
    EXPECT_EQ(times.most(), nanoseconds(all.back()));
    for (const double q : {0.01, 0.5, 0.9, 0.99, 0.999, 1.0}) {
      const auto index = static_cast<std::size_t>(q * static_cast<double>(all.size()) + 0.999999);
      const std::int64_t exact = all[std::max<std::size_t>(index, 1) - 1];
      const std::int64_t told = times.quantile(q).count();
      EXPECT_GE(told, exact) << q;
      EXPECT_LE(told, exact + exact / 8 + 1) << q;
    }
  }
}

}  // namespace
}  // namespace tusk
