#include "conninfo.h"

#include <fmt/format.h>
#include <libpq-fe.h>
#include <unistd.h>

#include <cerrno>
#include <memory>

namespace tusk::store {
namespace {

std::string quoted(std::string_view value) {
  std::string out = "'";
  for (const char c : value) {
    if (c == '\'' || c == '\\') out += '\\';
    out += c;
  }
  return out + "'";
}

// What libpq reads from the environment: PG…, and the home of ~/.pgpass.
std::vector<std::string> libpq_environment() {
  std::vector<std::string> found;
  for (char** entry = environ; *entry != nullptr; entry++) {
    const std::string_view text = *entry;
    if (text.starts_with("PG") || text.starts_with("HOME=")) found.emplace_back(text);
  }
  return found;
}

}  // namespace

bool has_parameters(std::string_view conninfo) {
  return conninfo.starts_with("postgresql://") || conninfo.starts_with("postgres://") ||
         conninfo.find('=') != conninfo.npos;
}

Result<ProgramConninfo> for_program(const std::string& conninfo) {
  ProgramConninfo out{{}, libpq_environment()};
  if (!has_parameters(conninfo)) {
    out.argument = "dbname=" + quoted(conninfo);
    return out;
  }
  const std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> options(
      PQconninfoParse(conninfo.c_str(), nullptr), &PQconninfoFree);
  if (!options) return fail(EINVAL, "the connection string cannot be parsed");
  for (const PQconninfoOption* option = options.get(); option->keyword != nullptr; option++) {
    if (option->val == nullptr) continue;
    const bool is_secret = option->dispchar[0] == '*';
    if (is_secret && option->envvar == nullptr)
      return fail(EINVAL, fmt::format("{} would be seen by others in ps", option->keyword),
                  "leave it out of the connection string");
    if (is_secret) {
      const std::string name = std::string(option->envvar) + "=";
      std::erase_if(out.environment, [&](const auto& entry) { return entry.starts_with(name); });
      out.environment.push_back(name + option->val);
    } else {
      out.argument += fmt::format("{}={} ", option->keyword, quoted(option->val));
    }
  }
  return out;
}

}  // namespace tusk::store
