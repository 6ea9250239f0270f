#include "virtual/keyed/names.h"

#include <fmt/format.h>

#include <algorithm>

#include "virtual/cache/names.h"

namespace tusk::virt {
namespace {

std::string escaped(std::string_view name) {
  return fmt::format("%{:02X}{}", static_cast<unsigned char>(name[0]), name.substr(1));
}

bool is_fixed(const Place& folder, std::string_view name) {
  return std::ranges::find(folder.places, name, &Place::name) != folder.places.end();
}

}  // namespace

std::optional<std::string> name_in(const Place& folder, std::string_view key) {
  auto name = name_of_key(key);
  if (name && is_fixed(folder, *name)) return escaped(*name);
  return name;
}

std::optional<std::string> key_in(const Place& folder, std::string_view name) {
  for (const Place& place : folder.places) {
    if (place.is_listed() && name == escaped(place.name)) return place.name;
  }
  return is_fixed(folder, name) ? std::nullopt : key_of_name(name);
}

}  // namespace tusk::virt
