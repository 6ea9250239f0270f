// Objects as files of a local folder: FOLDER/TREE/ab/ID, where ab ends the id.
#pragma once

#include "tuskfs/objects/objects.h"

namespace tusk::objects {

Result<std::unique_ptr<Objects>> open_local(const Options&, bool fresh);

}  // namespace tusk::objects
