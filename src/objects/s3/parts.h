// How an object is cut into parts before its size is known: S3 takes at most 10,000 of at most 5
// GiB each. They begin with 8 MiB and double after every thousand.
#pragma once

#include <algorithm>
#include <cstdint>

#include "objects/s3/ranges.h"

namespace tusk::objects {

inline constexpr std::uint64_t kFirstPartBytes = 8 << 20;
inline constexpr std::uint64_t kPartsOfOneSize = 1000;
inline constexpr std::uint64_t kMostParts = 10'000;

// Where part `number`, counted from 0, begins.
constexpr std::uint64_t part_begin(std::uint64_t number) {
  const std::uint64_t doublings = number / kPartsOfOneSize, rest = number % kPartsOfOneSize;
  const std::uint64_t before = kFirstPartBytes * kPartsOfOneSize * ((1ULL << doublings) - 1);
  return before + (kFirstPartBytes << doublings) * rest;
}
constexpr Extent part_extent(std::uint64_t number, std::uint64_t size) {
  return {std::min(part_begin(number), size), std::min(part_begin(number + 1), size)};
}
constexpr std::uint64_t part_at(std::uint64_t offset) {
  std::uint64_t doublings = 0;
  while (part_begin((doublings + 1) * kPartsOfOneSize) <= offset) doublings++;
  const std::uint64_t first = doublings * kPartsOfOneSize;
  return first + (offset - part_begin(first)) / (kFirstPartBytes << doublings);
}
constexpr std::uint64_t parts_of(std::uint64_t size) {
  return size == 0 ? 0 : part_at(size - 1) + 1;
}

inline constexpr std::uint64_t kLargestObject = 5ULL << 40;
static_assert(parts_of(kLargestObject) <= kMostParts);
static_assert(part_begin(kMostParts) - part_begin(kMostParts - 1) <= 5ULL << 30);
static_assert(part_at(part_begin(2345)) == 2345 && part_at(part_begin(2345) - 1) == 2344);

}  // namespace tusk::objects
