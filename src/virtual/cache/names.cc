#include "virtual/cache/names.h"

#include <fmt/format.h>

#include <algorithm>

#include "tuskfs/base/sha256.h"
#include "tuskfs/base/utf8.h"
#include "virtual/names.h"

namespace tusk::virt {
namespace {

constexpr std::string_view kHashed = "%@sha256-";
constexpr std::size_t kHexDigits = 64;

bool is_escaped(std::string_view key, std::size_t at) {
  return key[at] == '/' || key[at] == '%' || (at == 0 && key[at] == '.');
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

}  // namespace

std::optional<std::string> name_of_key(std::string_view key) {
  std::string name;
  for (std::size_t at = 0; at < key.size(); at++) {
    if (is_escaped(key, at)) {
      name += fmt::format("%{:02X}", static_cast<unsigned char>(key[at]));
    } else {
      name.push_back(key[at]);
    }
  }
  if (name.empty() || name.size() > kNameMax) return std::nullopt;
  return name;
}

// Each key has one name: another spelling of it is none.
std::optional<std::string> key_of_name(std::string_view name) {
  std::string key;
  for (std::size_t at = 0; at < name.size(); at++) {
    if (name[at] != '%') {
      key.push_back(name[at]);
      continue;
    }
    if (at + 2 >= name.size()) return std::nullopt;
    const int high = hex_digit(name[at + 1]), low = hex_digit(name[at + 2]);
    if (high < 0 || low < 0) return std::nullopt;
    key.push_back(static_cast<char>(high * 16 + low));
    at += 2;
  }
  if (!is_utf8(key) || name_of_key(key) != name) return std::nullopt;
  return key;
}

std::string shown_name_of_key(std::string_view key) {
  auto name = name_of_key(key);
  return name ? std::move(*name) : std::string(kHashed) + sha256_of(key);
}

std::optional<std::string> hash_in_name(std::string_view name) {
  if (!name.starts_with(kHashed)) return std::nullopt;
  const std::string_view hash = name.substr(kHashed.size());
  const bool is_hex = std::ranges::all_of(
      hash, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
  if (hash.size() != kHexDigits || !is_hex) return std::nullopt;
  return std::string(hash);
}

}  // namespace tusk::virt
