// Passwords in a connection string, kept from everybody else's eyes.
#pragma once

#include <string>
#include <string_view>

#include "tuskfs/base/result.h"

namespace tusk::cli {

// The password in a conninfo or URI, as it is written there; empty: none.
std::string password_in(std::string_view database);
// `text` with the password of `database` blotted out.
std::string without_password(std::string text, std::string_view database);
Error without_password(Error error, std::string_view database);
// Blots it out of the process's own arguments, which others see in ps.
void hide_password(int argc, char** argv, std::string_view database);

}  // namespace tusk::cli
