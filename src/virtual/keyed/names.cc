#include "virtual/keyed/names.h"

#include <fmt/format.h>

#include "virtual/cache/names.h"

namespace tusk::virt {
namespace {

std::string escaped(std::string_view name) {
  return fmt::format("%{:02X}{}", static_cast<unsigned char>(name[0]), name.substr(1));
}

}  // namespace

std::optional<std::string> name_in(const Place& folder, std::string_view key) {
  const Place* any = folder.within("");
  if (any && !any->find_by_hash.empty()) return shown_name_of_key(key);
  auto name = name_of_key(key);
  if (name && folder.within(*name)) return escaped(*name);
  return name;
}

std::optional<std::string> key_in(const Place& folder, std::string_view name) {
  for (const Place& place : folder.places) {
    if (place.is_listed() && name == escaped(place.name)) return place.name;
  }
  return folder.within(name) ? std::nullopt : key_of_name(name);
}

}  // namespace tusk::virt
