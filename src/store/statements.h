// The named statements of sql/queries.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace tusk::store {

struct Statement {
  std::string name;
  std::string text;
};

std::span<const Statement> all_statements();

// A name that does not exist is a defect of the caller and ends the process.
const Statement& statement(std::string_view name);

}  // namespace tusk::store
