// Connection strings, for other programs too.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tuskfs/base/result.h"

namespace tusk::store {

// Else it is the name of a database.
bool has_parameters(std::string_view conninfo);

// A connection string as a program of PostgreSQL takes it: nothing secret in `argument`, which
// everybody sees in ps.
struct ProgramConninfo {
  std::string argument;
  std::vector<std::string> environment;  // NAME=value: what is secret, and what we were given
};
Result<ProgramConninfo> for_program(const std::string& conninfo);

}  // namespace tusk::store
