// What `Options::location` says.
#pragma once

#include "tuskfs/objects/objects.h"

namespace tusk::objects {

// Name of an object within its tree's place: "ab/ID". Ids of one moment differ at their end only.
std::string key_of(Uuid id);
// What the mark of a tree's place is called.
inline constexpr const char* kMark = "tuskfs-objects";

}  // namespace tusk::objects
