// Taking a mount out of the kernel.
#pragma once

#include <string>

#include "tuskfs/base/result.h"

namespace tusk::cli {

enum class Unmounting { plain, lazy };

// As root directly, else by fusermount3. EBUSY says who uses it.
Result<void> unmount_at(const std::string& target, Unmounting how);

}  // namespace tusk::cli
