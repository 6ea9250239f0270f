#include "objects/location.h"

#include <fmt/format.h>

namespace tusk::objects {
namespace {

constexpr std::string_view kFile = "file://", kS3 = "s3://";

}  // namespace

bool is_s3(std::string_view location) { return location.starts_with(kS3); }

std::string key_of(Uuid id) {
  const std::string text = id.text();
  return fmt::format("{}/{}", text.substr(text.size() - 2), text);
}

std::string place_of(const Options& options) {
  std::string at = options.location;
  while (at.ends_with('/')) at.pop_back();
  return fmt::format("{}{}/{}", is_s3(at) ? "" : kFile, at, options.tree.uuid.text());
}

std::string location_in(const std::string& place, TenantId tree) {
  const std::string end = "/" + tree.uuid.text();
  if (!place.ends_with(end)) return {};
  const std::string at = place.substr(0, place.size() - end.size());
  if (is_s3(at)) return at;
  return at.starts_with(kFile) ? at.substr(kFile.size()) : "";
}

std::string url_in(const std::string& place, Uuid id) {
  return fmt::format("{}/{}", place, key_of(id));
}

std::optional<Uuid> id_in(std::string_view url) {
  const std::size_t slash = url.rfind('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const auto id = Uuid::parse(url.substr(slash + 1));
  if (!id || !url.ends_with(key_of(*id))) return std::nullopt;
  return id;
}

}  // namespace tusk::objects
