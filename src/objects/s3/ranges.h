// Which bytes of a file have been written.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

namespace tusk::objects {

struct Extent {
  std::uint64_t begin = 0, end = 0;
};

class Ranges {
 public:
  void add(Extent);
  // Nothing lies at or behind `size` any more.
  void cut(std::uint64_t size);
  bool covers(Extent) const;
  bool touches(Extent) const;
  // What of it has not been written, in order.
  std::vector<Extent> gaps(Extent) const;

 private:
  std::map<std::uint64_t, std::uint64_t> ends_;  // by begin; neither overlap nor meet
};

}  // namespace tusk::objects
