#include "cli/mount_table.h"

#include <fmt/format.h>

#include <cerrno>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace tusk::cli {
namespace {

namespace fs = std::filesystem;

// The kernel writes space, tab, newline and backslash as \ooo.
std::string unescape(const std::string& text) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); i++) {
    if (text[i] == '\\' && i + 3 < text.size()) {
      unsigned value = 0;
      std::from_chars(text.data() + i + 1, text.data() + i + 4, value, 8);
      result += static_cast<char>(value);
      i += 3;
    } else {
      result += text[i];
    }
  }
  return result;
}

unsigned number_after(const std::string& options, const std::string& key) {
  unsigned value = 0;
  const std::size_t at = options.find(key);
  if (at != std::string::npos)
    std::from_chars(options.data() + at + key.size(), options.data() + options.size(), value);
  return value;
}

MountEntry parse(const std::string& line) {
  std::istringstream fields(line);
  std::string id, parent, device, root, target, word, type, source, super_options;
  fields >> id >> parent >> device >> root >> target;
  while (fields >> word && word != "-") {
  }
  fields >> type >> source >> super_options;
  return {.target = unescape(target),
          .type = type,
          .source = unescape(source),
          .uid = number_after(super_options, "user_id="),
          .gid = number_after(super_options, "group_id=")};
}

}  // namespace

std::vector<MountEntry> mount_table(const std::string& file) {
  std::vector<MountEntry> entries;
  std::ifstream table(file);
  for (std::string line; std::getline(table, line);) entries.push_back(parse(line));
  return entries;
}

std::optional<MountEntry> mount_at(const std::string& path) {
  std::optional<MountEntry> found;
  for (MountEntry& entry : mount_table())
    if (entry.target == path) found = std::move(entry);
  return found;
}

std::string settle_path(const std::string& path) {
  std::error_code failed;
  fs::path absolute = fs::absolute(path, failed).lexically_normal();
  if (!absolute.has_filename()) absolute = absolute.parent_path();  // "x/"
  const fs::path above = fs::weakly_canonical(absolute.parent_path(), failed);
  return failed || above.empty() ? absolute : above / absolute.filename();
}

Result<MountEntry> find_mount(const std::string& path) {
  auto entry = mount_at(settle_path(path));
  std::error_code failed;
  // Only what is no mount itself may be followed: a hung one would hang us.
  if (!entry) entry = mount_at(fs::weakly_canonical(path, failed));
  if (entry && entry->ours()) return *std::move(entry);
  return fail(EINVAL, fmt::format("{} is not a TuskFS mount", path), "see tuskfs status");
}

namespace {

bool holds(const MountEntry& mount, const std::string& path) {
  const std::string& target = mount.target;
  if (target == "/") return true;
  return path.starts_with(target) && (path.size() == target.size() || path[target.size()] == '/');
}

}  // namespace

Result<MountEntry> mount_holding(const std::string& path) {
  std::optional<MountEntry> deepest;
  for (MountEntry& mount : mount_table()) {
    if (!holds(mount, path)) continue;
    if (!deepest || mount.target.size() >= deepest->target.size()) deepest = std::move(mount);
  }
  if (deepest && deepest->ours()) return *std::move(deepest);
  return fail(EINVAL, fmt::format("{} is in no TuskFS mount", path),
              "give a path below a mount point; tuskfs status lists them");
}

}  // namespace tusk::cli
