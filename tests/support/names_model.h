// The sequential meaning of NameStep: a folder as rename(2) and its like describe it.
#pragma once

#include <array>

#include "support/names_check.h"

namespace tusk::test {

// What each name stands for.
using Thing = std::uint32_t;
inline constexpr Thing kNothing = 0, kFolder = 1, kLinked = 2, kFirstFile = 3;
using NameState = std::array<Thing, 16>;

struct Effect {
  int outcome;
  bool changes = false;
};

// What `step` answers in this state, which it changes where it succeeds; a file that it creates
// is `made`.
Effect take(const NameSpace& names, const NameStep& step, Thing made, NameState& state);

}  // namespace tusk::test
