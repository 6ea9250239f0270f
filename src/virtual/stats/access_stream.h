// stats/fs/accesslog: a line for every request, as it is answered, for who has the file open.
#pragma once

#include <memory>
#include <string>

#include "tuskfs/vfs/access_log.h"
#include "virtual/live.h"

namespace tusk::virt {

// Without the newline at its end; what could be mistaken for the end of a field or line is escaped.
std::string line_of(const vfs::Access& access);

std::unique_ptr<LiveFile> access_file(vfs::AccessLog& log);

}  // namespace tusk::virt
