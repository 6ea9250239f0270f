// The invariants of sql/checks, each with its repair of sql/repairs where there is one.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace tusk::store {

struct Check {
  std::string_view name;
  std::string_view
      query;  // a row for each finding; its column tenant_id is null when none is known
  std::string_view repair;  // statements on pg_temp.finding, the rows of the query; empty: none
  std::string_view remedy;  // what the repair does, for people
};

std::span<const Check> all_checks();

}  // namespace tusk::store
