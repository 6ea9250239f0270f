// The command line as a whole.
#pragma once

#include <string>
#include <vector>

#include "cli/requests.h"
#include "tuskfs/base/result.h"

namespace tusk::cli {

// The program: by the name of mount(8)'s helper it is that, else it has verbs.
int run(int argc, char** argv);

// mount.fuse.tuskfs SOURCE MOUNTPOINT [-sfnvrw] [-t TYPE] [-N NAMESPACE] [-o OPTIONS], `args`
// without its own name.
struct HelperCall {
  MountRequest request;
  bool fake = false;  // -f: all but the mount itself
};
Result<HelperCall> parse_helper_call(const std::vector<std::string>& args);

}  // namespace tusk::cli
