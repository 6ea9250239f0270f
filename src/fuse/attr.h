// Between the waist's types and libfuse's.
#pragma once

#include "fuse/lowlevel.h"
#include "tuskfs/vfs/vfs.h"

namespace tusk::fuse {

// The mount owns the tree: what the kernel knows stays true until it is told otherwise.
inline constexpr double kForever = 365.0 * 86400;

struct stat to_stat(const vfs::Attr& attr);
fuse_entry_param to_entry(const vfs::Attr& attr);
vfs::AttrChange to_change(const struct stat& attr, int to_set);
vfs::Call to_call(fuse_req_t req, std::uint64_t token);

}  // namespace tusk::fuse
