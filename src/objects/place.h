// What the kinds of places have in common: how they are opened, and the mark that says what is
// there.
#pragma once

#include <memory>
#include <string>

#include "tuskfs/objects/objects.h"

namespace tusk::objects {

// A place whose mark has been read or made, before its mark is judged. Marks of objects that are
// not encrypted are empty.
class Place : public Objects {
 public:
  // Durable when this returns.
  virtual Result<void> change_mark(const std::string& text) = 0;
};

// Marks are shorter than this.
inline constexpr std::size_t kMarkBytes = 256;

struct Opening {
  bool fresh = false;  // a missing mark may be made
  std::string mark;    // what it shall say then
};

}  // namespace tusk::objects
