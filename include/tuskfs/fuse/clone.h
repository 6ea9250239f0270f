// The ioctl by which a program asks a mount for a clone.
#pragma once

#include <sys/ioctl.h>

#include <cstdint>

namespace tusk::fuse {

// On an empty file or folder that the caller has just made: it becomes a copy of the file or folder
// with the inode number given, which must be of the same mount. See vfs::Vfs::clone.
inline constexpr unsigned long kCloneFrom = _IOW('T', 0x46, std::uint64_t);

}  // namespace tusk::fuse
