// stats/fs/accesslog: a line for every request, as it is answered, for who has the file open.
#pragma once

#include <memory>

#include "tuskfs/vfs/access_log.h"
#include "virtual/live.h"

namespace tusk::virt {

std::unique_ptr<LiveFile> access_file(vfs::AccessLog& log);

}  // namespace tusk::virt
