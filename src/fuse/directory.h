#pragma once

#include "fuse/lowlevel.h"

namespace tusk::fuse {

// opendir, readdir, readdirplus, releasedir.
void add_directory_ops(fuse_lowlevel_ops& ops);

}  // namespace tusk::fuse
