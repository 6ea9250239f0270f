#include "manifest.h"

#include <cerrno>
#include <nlohmann/json.hpp>

namespace tusk::store {
namespace {

using Json = nlohmann::ordered_json;

Json json_of(const TreeCounts& counts) {
  return {{"files", counts.files},
          {"folders", counts.folders},
          {"bytes", counts.bytes},
          {"trashed", counts.trashed},
          {"versions", counts.versions}};
}

TreeCounts counts_of(const Json& json) {
  return {json.at("files"), json.at("folders"), json.at("bytes"), json.at("trashed"),
          json.at("versions")};
}

}  // namespace

std::string text_of(const Manifest& manifest) {
  Json trees = Json::object(), checksums = Json::object();
  for (const auto& [name, counts] : manifest.trees) trees[name] = json_of(counts);
  for (const auto& [path, sum] : manifest.checksums) checksums[path] = sum;
  const Json json = {{"tuskfs_version", manifest.tuskfs_version},
                     {"schema_version", manifest.schema_version},
                     {"taken_at", manifest.taken_at},
                     {"server_version", manifest.server_version},
                     {"trees", trees},
                     {"sha256", checksums}};
  return json.dump(2) + "\n";
}

Result<Manifest> parse_manifest(const std::string& text) {
  // The library tells of wrong types by throwing.
  try {
    const Json json = Json::parse(text);
    Manifest manifest;
    manifest.tuskfs_version = json.at("tuskfs_version");
    manifest.schema_version = json.at("schema_version");
    manifest.taken_at = json.at("taken_at");
    manifest.server_version = json.at("server_version");
    for (const auto& [name, counts] : json.at("trees").items())
      manifest.trees[name] = counts_of(counts);
    for (const auto& [path, sum] : json.at("sha256").items()) manifest.checksums[path] = sum;
    return manifest;
  } catch (const Json::exception& e) {
    return fail(EIO, std::string("the manifest is damaged: ") + e.what());
  }
}

}  // namespace tusk::store
