// Whether a folder can be mounted on, asked before anything else is touched.
#pragma once

#include <string>

#include "cli/requests.h"
#include "tuskfs/base/result.h"

namespace tusk::cli {

// The folder's absolute path. A TuskFS mount whose driver died there is taken away first.
Result<std::string> claim_mountpoint(const std::string& path);
// Refuses a request whose own files would lie behind its mount.
Result<void> check_apart(const MountRequest& request);

}  // namespace tusk::cli
