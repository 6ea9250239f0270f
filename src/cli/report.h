// Errors as one line for people.
#pragma once

#include <string>

#include "tuskfs/base/result.h"

namespace tusk::cli {

// "WHAT; HINT" on one line.
std::string one_line(const Error& error);
// Prints it with the program's name on stderr; returns the exit status of a failure.
int report(const Error& error);
void complain(const std::string& line);

}  // namespace tusk::cli
