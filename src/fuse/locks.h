#pragma once

#include "fuse/lowlevel.h"
#include "tuskfs/vfs/vfs.h"

namespace tusk::fuse {

// getlk, setlk, flock.
void add_lock_ops(fuse_lowlevel_ops& ops);

// What a close lets go of: of the open file, when that was its last, and of the process.
vfs::Lock whole_file_unlock(const fuse_file_info& fi);
vfs::Lock ranges_unlock(const fuse_file_info& fi);

}  // namespace tusk::fuse
