#include "cli/secrets.h"

#include <cstring>

namespace tusk::cli {
namespace {

constexpr std::string_view kBlot = "***";

bool is_uri(std::string_view database) {
  return database.starts_with("postgresql://") || database.starts_with("postgres://");
}

std::string_view in_uri(std::string_view uri) {
  const std::size_t begin = uri.find("://") + 3;
  const std::string_view authority = uri.substr(begin, uri.find_first_of("/?", begin) - begin);
  if (const std::size_t at = authority.rfind('@'); at != std::string_view::npos) {
    const std::string_view user = authority.substr(0, at);
    const std::size_t colon = user.find(':');
    if (colon != std::string_view::npos) return user.substr(colon + 1);
  }
  for (const std::string_view key : {"?password=", "&password="}) {
    const std::size_t at = uri.find(key);
    if (at == std::string_view::npos) continue;
    const std::size_t value = at + key.size();
    return uri.substr(value, uri.find('&', value) - value);
  }
  return {};
}

std::string_view quoted_value(std::string_view text) {
  std::size_t end = 1;
  while (end < text.size() && text[end] != '\'') end += text[end] == '\\' ? 2 : 1;
  return text.substr(1, std::min(end, text.size()) - 1);
}

std::string_view in_conninfo(std::string_view conninfo) {
  constexpr std::string_view kSpace = " \t\n";
  constexpr std::string_view kKey = "password";
  for (std::size_t at = 0; (at = conninfo.find(kKey, at)) != std::string_view::npos; at++) {
    if (at > 0 && !kSpace.contains(conninfo[at - 1])) continue;
    const std::size_t equals = conninfo.find_first_not_of(kSpace, at + kKey.size());
    if (equals == std::string_view::npos || conninfo[equals] != '=') continue;
    const std::size_t value = conninfo.find_first_not_of(kSpace, equals + 1);
    if (value == std::string_view::npos) return {};
    const std::string_view rest = conninfo.substr(value);
    return rest.starts_with('\'') ? quoted_value(rest) : rest.substr(0, rest.find_first_of(kSpace));
  }
  return {};
}

}  // namespace

std::string password_in(std::string_view database) {
  return std::string(is_uri(database) ? in_uri(database) : in_conninfo(database));
}

std::string without_password(std::string text, std::string_view database) {
  const std::string password = password_in(database);
  if (password.empty()) return text;
  for (std::size_t at = 0; (at = text.find(password, at)) != std::string::npos; at += kBlot.size())
    text.replace(at, password.size(), kBlot);
  return text;
}

Error without_password(Error error, std::string_view database) {
  error.what = without_password(std::move(error.what), database);
  error.hint = without_password(std::move(error.hint), database);
  return error;
}

void hide_password(int argc, char** argv, std::string_view database) {
  const std::string password = password_in(database);
  if (password.empty()) return;
  for (int i = 1; i < argc; i++) {
    if (database != argv[i]) continue;
    char* found = std::strstr(argv[i], password.c_str());
    if (found != nullptr) std::memset(found, '*', password.size());
  }
}

}  // namespace tusk::cli
