#include "objects/location.h"

#include <fmt/format.h>

namespace tusk::objects {

bool is_s3(const Options& options) { return options.location.starts_with("s3://"); }

std::string key_of(Uuid id) {
  const std::string text = id.text();
  return fmt::format("{}/{}", text.substr(text.size() - 2), text);
}

std::optional<Uuid> id_of_key(std::string_view key) {
  const std::size_t slash = key.rfind('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const auto id = Uuid::parse(key.substr(slash + 1));
  if (!id || !key.ends_with(key_of(*id))) return std::nullopt;
  return id;
}

std::string place_of(const Options& options) {
  std::string at = options.location;
  while (at.ends_with('/')) at.pop_back();
  return fmt::format("{}{}/{}", is_s3(options) ? "" : "file://", at, options.tree.uuid.text());
}

}  // namespace tusk::objects
