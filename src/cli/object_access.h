// Where large files lie, and what it takes to get at them, as the command line has it.
#pragma once

#include <string>

#include "tuskfs/base/result.h"
#include "tuskfs/objects/objects.h"

namespace tusk::cli {

// s3://…, or a folder, absolute: the daemon works in another one.
Result<std::string> parse_location(const std::string& text);
Result<std::string> parse_keyfile(const std::string& text);
// "DIR,SIZE", the size with a unit such as G; or DIR alone.
Result<void> parse_object_cache(objects::Access& access, const std::string& text);

}  // namespace tusk::cli
