// How the score and its components went: what was captured, and what this driver has seen of late.
#pragma once

#include <deque>

#include "virtual/stats/health.h"

namespace tusk::virt {

class Trend {
 public:
  // Of tables that were just collected. At most one sample in ten seconds is kept, for an hour.
  void note(const Statistics::Tables& tables, WallTime now, MonotonicTime elapsed);
  // `captured`: a JSON array of what was captured, older first.
  Json joined(const std::string& captured) const;

 private:
  struct Sample {
    MonotonicTime taken_at{};
    Json point;
  };
  std::deque<Sample> samples_;
};

}  // namespace tusk::virt
