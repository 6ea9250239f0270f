#include "conninfo.h"

#include <fmt/format.h>
#include <libpq-fe.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <map>
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

using OptionsPtr = std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)>;

OptionsPtr parsed(const std::string& conninfo) {
  return {PQconninfoParse(conninfo.c_str(), nullptr), &PQconninfoFree};
}

void take_values(std::map<std::string, std::string>& settings, const OptionsPtr& options) {
  for (auto* option = options.get(); option && option->keyword != nullptr; option++)
    if (option->val != nullptr && *option->val != '\0') settings[option->keyword] = option->val;
}

std::vector<std::string> split_at_commas(const std::string& list) {
  std::vector<std::string> parts(1);
  for (const char c : list) {
    if (c == ',') {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  return parts;
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
  const OptionsPtr options = parsed(conninfo);
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
  const auto settings = settings_of(conninfo);
  if (!several_addresses(settings).empty() && !settings.contains("target_session_attrs"))
    out.argument += fmt::format("target_session_attrs={} ", kTakesWrites);
  return out;
}

std::map<std::string, std::string> settings_of(const std::string& conninfo) {
  const bool is_name = !has_parameters(conninfo);
  const OptionsPtr said = parsed(is_name ? "" : conninfo);
  if (!said) return {};
  std::map<std::string, std::string> settings;
  take_values(settings, {PQconndefaults(), &PQconninfoFree});
  if (::getenv("PGTARGETSESSIONATTRS") == nullptr) settings.erase("target_session_attrs");
  take_values(settings, said);
  if (is_name) settings["dbname"] = conninfo;
  return settings;
}

std::string ServerAddress::text() const {
  return (host.empty() ? hostaddr : host) + (port.empty() ? "" : ":" + port);
}

std::vector<ServerAddress> several_addresses(const std::map<std::string, std::string>& settings) {
  const auto list = [&settings](const char* keyword) {
    const auto found = settings.find(keyword);
    return found == settings.end() ? std::vector<std::string>{} : split_at_commas(found->second);
  };
  const auto hosts = list("host"), numbers = list("hostaddr"), ports = list("port");
  const std::size_t count = std::max(hosts.size(), numbers.size());
  const auto is_whole = [count](const auto& of) {
    return of.empty() || (of.size() == count && std::ranges::find(of, "") == of.end());
  };
  // What libpq itself refuses is left for it to refuse, and a host left out is its to choose.
  if (count < 2 || !is_whole(hosts) || !is_whole(numbers) || settings.contains("service") ||
      (ports.size() > 1 && !is_whole(ports)))
    return {};
  const auto at = [](const auto& of, std::size_t i) {
    return of.empty() ? std::string() : of[of.size() == 1 ? 0 : i];
  };
  std::vector<ServerAddress> addresses;
  for (std::size_t i = 0; i < count; i++)
    addresses.push_back({at(hosts, i), at(numbers, i), at(ports, i)});
  return addresses;
}

}  // namespace tusk::store
