// Times as people write and read them.
#pragma once

#include <string>

#include "tuskfs/base/executor.h"
#include "tuskfs/base/result.h"

namespace tusk {

// "2026-11-23", "2026-11-23T10:00", "2026-11-23 10:00:00.5", with Z or an offset as +02:00; local
// time without. EINVAL for anything else.
Result<WallTime> parse_time(const std::string& text);
// In UTC with milliseconds: 2026-11-23T01:02:03.456Z.
std::string time_text(WallTime time);

}  // namespace tusk
