// How durations are spread, in constant memory: eight buckets for each power of two nanoseconds. A
// quantile is the upper end of its bucket, at most 12.5 % too high; below 8 ns it is exact.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <cstdint>

namespace tusk {

class Histogram {
 public:
  void add(std::chrono::nanoseconds time) {
    const auto ns = static_cast<std::uint64_t>(std::max<std::int64_t>(time.count(), 0));
    buckets_[bucket_of(ns)]++;
    count_++;
    sum_ += ns;
    most_ = std::max(most_, ns);
  }

  std::uint64_t count() const { return count_; }
  std::chrono::nanoseconds sum() const { return in_ns(sum_); }
  std::chrono::nanoseconds most() const { return in_ns(most_); }
  // 0 < q <= 1: at least this part of them took at most so long. 0 when there are none.
  std::chrono::nanoseconds quantile(double q) const {
    const auto wanted = static_cast<std::uint64_t>(q * static_cast<double>(count_) + 0.999999);
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < kBuckets; i++) {
      seen += buckets_[i];
      if (seen >= wanted && seen > 0) return in_ns(std::min(end_of(i), most_));
    }
    return {};
  }

 private:
  static constexpr std::size_t kParts = 8, kPartBits = 3;
  static constexpr std::size_t kBuckets = kParts * (64 - kPartBits + 1);

  static std::chrono::nanoseconds in_ns(std::uint64_t ns) {
    return std::chrono::nanoseconds(static_cast<std::int64_t>(ns));
  }
  static std::size_t bucket_of(std::uint64_t ns) {
    if (ns < kParts) return ns;
    const auto shift = static_cast<std::size_t>(std::bit_width(ns)) - kPartBits - 1;
    return (shift + 1) * kParts + ((ns >> shift) & (kParts - 1));
  }
  // The greatest number of the bucket.
  static std::uint64_t end_of(std::size_t bucket) {
    if (bucket < kParts) return bucket;
    const std::size_t shift = bucket / kParts - 1;
    return ((kParts + bucket % kParts + 1) << shift) - 1;
  }

  std::array<std::uint64_t, kBuckets> buckets_{};
  std::uint64_t count_ = 0, sum_ = 0, most_ = 0;
};

}  // namespace tusk
