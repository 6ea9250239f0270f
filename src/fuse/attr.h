// Between the waist's types and libfuse's.
#pragma once

#include "fuse/lowlevel.h"
#include "tuskfs/vfs/vfs.h"

namespace tusk::fuse {

// The mount owns the tree: what the kernel knows stays true until it is told otherwise.
inline constexpr double kForever = 365.0 * 86400;
// What does not last is believed just so long that one program's walk asks once.
inline constexpr double kBriefly = 1.0;

inline double seconds(vfs::Valid valid) {
  if (valid == vfs::Valid::never) return 0;
  return valid == vfs::Valid::lasting ? kForever : kBriefly;
}

struct stat to_stat(const vfs::Attr& attr);
fuse_entry_param to_entry(const vfs::Attr& attr);
vfs::AttrChange to_change(const struct stat& attr, int to_set);
vfs::Call to_call(fuse_req_t req, std::uint64_t token);

}  // namespace tusk::fuse
