// The TuskFS mounts that the kernel knows of.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "tuskfs/base/result.h"

namespace tusk::cli {

struct MountEntry {
  std::string target, type, source;
  uid_t uid = 0;  // of a FUSE mount: who mounted, and may look at it
  gid_t gid = 0;
  bool ours() const { return type == "fuse.tuskfs"; }
};

// Everything that is mounted, in the order of mounting. `file` is for tests.
std::vector<MountEntry> mount_table(const std::string& file = "/proc/self/mountinfo");
// The topmost mount at exactly this path; does not touch what is mounted there.
std::optional<MountEntry> mount_at(const std::string& path);
// A TuskFS mount named by a person: relative, through symbolic links. EINVAL when it is none.
Result<MountEntry> find_mount(const std::string& path);
// The TuskFS mount that holds a path given as settle_path returns it. EINVAL when it is in none.
Result<MountEntry> mount_holding(const std::string& path);

// Absolute, without symbolic links in the folders above; the last name is not looked at.
std::string settle_path(const std::string& path);

}  // namespace tusk::cli
