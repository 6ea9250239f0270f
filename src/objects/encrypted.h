// Objects that are stored encrypted, in whatever place.
#pragma once

#include "objects/keyfile.h"
#include "objects/place.h"

namespace tusk::objects {

// What the mark of a place says whose objects are encrypted with this key.
std::string mark_of(const MasterKey&);
// Whether the place holds what is asked for: objects under `key`, or without one plain objects.
Result<void> judge_mark(const std::string& mark, const MasterKey* key, const std::string& place);

std::unique_ptr<Objects> encrypted(std::unique_ptr<Objects>, const MasterKey&);

}  // namespace tusk::objects
