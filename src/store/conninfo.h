// Connection strings, for other programs too.
#pragma once

#include <map>
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

// What libpq will go by: what the string says, else the environment, else its own defaults. Not
// what a service file says that the string names. Without target_session_attrs when nobody said it.
// Empty: it cannot be parsed.
std::map<std::string, std::string> settings_of(const std::string& conninfo);

// One of the servers that a string names; empty members stand for libpq's choice.
struct ServerAddress {
  std::string host, hostaddr, port;
  std::string text() const;
};
// Of target_session_attrs: what is asked of one of several servers when nobody said it.
inline constexpr const char* kTakesWrites = "read-write";

// Empty unless there are several.
std::vector<ServerAddress> several_addresses(const std::map<std::string, std::string>& settings);

}  // namespace tusk::store
