// Objects as files of a local folder: FOLDER/TREE/ab/ID, where ab ends the id.
#pragma once

#include "objects/place.h"

namespace tusk::objects {

Result<std::unique_ptr<Place>> open_local(const Options&, const Opening&);

}  // namespace tusk::objects
