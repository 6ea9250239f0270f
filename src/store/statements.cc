#include "statements.h"

#include <cstdlib>
#include <unordered_map>
#include <vector>

#include "sql_file.h"
#include "tuskfs/base/log.h"

namespace tusk::store {
namespace {

constexpr SqlFile kQueries[] = {
#include <tuskfs/queries.inc>
};

constexpr std::string_view kHeader = "-- name: ";

// A block runs from its header to the next one; what precedes the first is commentary.
void add_blocks(std::string_view text, std::vector<Statement>& out) {
  std::size_t at = text.find(kHeader);
  while (at != text.npos) {
    const std::size_t name_at = at + kHeader.size();
    const std::size_t line_end = text.find('\n', name_at);
    const std::size_t next = text.find(kHeader, line_end);
    out.push_back({std::string(text.substr(name_at, line_end - name_at)),
                   std::string(text.substr(line_end + 1, next - line_end - 1))});
    at = next;
  }
}

const std::vector<Statement>& parsed() {
  static const std::vector<Statement> statements = [] {
    std::vector<Statement> out;
    for (const SqlFile& file : kQueries) add_blocks(file.text, out);
    return out;
  }();
  return statements;
}

}  // namespace

std::span<const Statement> all_statements() { return parsed(); }

const Statement& statement(std::string_view name) {
  static const std::unordered_map<std::string_view, const Statement*> by_name = [] {
    std::unordered_map<std::string_view, const Statement*> out;
    for (const Statement& s : parsed()) out.emplace(s.name, &s);
    return out;
  }();
  const auto found = by_name.find(name);
  if (found == by_name.end()) {
    log::error("there is no statement '{}' in sql/queries", name);
    std::abort();
  }
  return *found->second;
}

}  // namespace tusk::store
