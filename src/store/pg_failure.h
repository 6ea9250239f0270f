// Why a statement, or the connection under it, failed.
#pragma once

#include <expected>
#include <string>
#include <string_view>

namespace tusk::store {

struct PgFailure {
  bool lost = false;          // the connection is gone, whatever the server did
  bool bad_password = false;  // asked for one that was missing or wrong
  std::string sqlstate;       // empty when the server said nothing
  std::string message;
  std::string detail;
  std::string statement;  // by name; empty for the connection itself

  std::string text() const;  // one line
};

// What libpq says, without its line ends.
std::string one_line(std::string_view text);

template <class T>
using PgExpected = std::expected<T, PgFailure>;

}  // namespace tusk::store
