// What `Options::location` says.
#pragma once

#include <string>
#include <string_view>

#include "tuskfs/objects/objects.h"

namespace tusk::objects {

bool is_s3(std::string_view location);
// Name of an object within its tree's place: "ab/ID". Ids of one moment differ at their end only.
std::string key_of(Uuid id);
// What the mark of a tree's place is called.
inline constexpr const char* kMark = "tuskfs-objects";

inline std::string_view text_of(ByteSpan bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace tusk::objects
