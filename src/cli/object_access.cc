#include "cli/object_access.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <charconv>
#include <filesystem>

namespace tusk::cli {
namespace {

std::string absolute(const std::string& path) {
  return std::filesystem::absolute(path).lexically_normal().string();
}

}  // namespace

Result<std::string> parse_location(const std::string& text) {
  if (text.empty()) return fail(EINVAL, "no place for objects is given");
  if (text.starts_with("s3://")) return text;
  if (text.find("://") != std::string::npos)
    return fail(EINVAL, fmt::format("'{}' is no place for objects", text),
                "name a folder, or s3://bucket/prefix");
  return absolute(text);
}

Result<std::string> parse_keyfile(const std::string& text) {
  if (text.empty()) return fail(EINVAL, "no keyfile is given");
  return absolute(text);
}

Result<void> parse_object_cache(objects::Access& access, const std::string& text) {
  const std::size_t comma = text.rfind(',');
  const std::string folder = text.substr(0, comma);
  if (folder.empty()) return fail(EINVAL, fmt::format("'{}' names no folder", text), "DIR,SIZE");
  if (comma != std::string::npos) {
    std::string size = text.substr(comma + 1);
    const std::string wrong = CLI::AsSizeValue(false)(size);
    std::uint64_t bytes = 0;
    const auto [end, failed] = std::from_chars(size.data(), size.data() + size.size(), bytes);
    if (!wrong.empty() || failed != std::errc() || end != size.data() + size.size())
      return fail(EINVAL, fmt::format("'{}' is no size", text.substr(comma + 1)), "such as 10G");
    access.cache_bytes = bytes;
  }
  access.cache_folder = absolute(folder);
  return {};
}

}  // namespace tusk::cli
