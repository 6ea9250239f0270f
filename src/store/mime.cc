#include "mime.h"

#include <magic.h>
#include <sys/stat.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <utility>

namespace tusk::store {
namespace {

constexpr std::string_view kUnknown = "application/octet-stream";
constexpr std::size_t kHeadBytes = 1024;
constexpr std::size_t kLongestExtension = 16;

// What matters on a machine without /etc/mime.types, and the names of programmers' files, on which
// that file is silent or quaint.
constexpr std::pair<std::string_view, std::string_view> kBuiltIn[] = {
    {"txt", "text/plain"},         {"md", "text/markdown"},
    {"html", "text/html"},         {"htm", "text/html"},
    {"css", "text/css"},           {"csv", "text/csv"},
    {"js", "text/javascript"},     {"ts", "text/typescript"},
    {"json", "application/json"},  {"xml", "application/xml"},
    {"yaml", "application/yaml"},  {"yml", "application/yaml"},
    {"toml", "application/toml"},  {"c", "text/x-csrc"},
    {"h", "text/x-chdr"},          {"cc", "text/x-c++src"},
    {"cpp", "text/x-c++src"},      {"hpp", "text/x-c++hdr"},
    {"py", "text/x-python"},       {"rs", "text/rust"},
    {"go", "text/x-go"},           {"java", "text/x-java"},
    {"sh", "application/x-sh"},    {"sql", "application/sql"},
    {"o", "application/x-object"}, {"a", "application/x-archive"},
    {"pdf", "application/pdf"},    {"zip", "application/zip"},
    {"gz", "application/gzip"},    {"xz", "application/x-xz"},
    {"zst", "application/zstd"},   {"tar", "application/x-tar"},
    {"png", "image/png"},          {"jpg", "image/jpeg"},
    {"jpeg", "image/jpeg"},        {"gif", "image/gif"},
    {"svg", "image/svg+xml"},      {"webp", "image/webp"},
    {"mp3", "audio/mpeg"},         {"ogg", "audio/ogg"},
    {"wav", "audio/x-wav"},        {"mp4", "video/mp4"},
    {"webm", "video/webm"},        {"mkv", "video/x-matroska"},
    {"log", "text/plain"},         {"conf", "text/plain"},
    {"ini", "text/plain"},         {"bin", "application/octet-stream"},
};

// UTF-8 without control characters but the usual ones; a character cut at the end is fine.
bool is_text(ByteSpan head) {
  const std::size_t size = std::min(head.size(), kHeadBytes);
  std::size_t i = 0;
  while (i < size) {
    const std::uint8_t byte = head[i];
    if (byte < 0x20 && byte != '\t' && byte != '\n' && byte != '\r' && byte != '\f' && byte != 27) {
      return false;
    }
    if (byte == 0x7f || (byte >= 0x80 && byte < 0xc2) || byte > 0xf4) return false;
    std::size_t more = byte < 0x80 ? 0 : byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : 3;
    for (i++; more > 0 && i < size; more--, i++) {
      if ((head[i] & 0xc0) != 0x80) return false;
    }
  }
  return true;
}

std::optional<std::string_view> by_mode(mode_t mode) {
  switch (mode & S_IFMT) {
    case S_IFREG:
      return std::nullopt;
    case S_IFLNK:
      return "inode/symlink";
    case S_IFIFO:
      return "inode/fifo";
    case S_IFSOCK:
      return "inode/socket";
    case S_IFCHR:
      return "inode/chardevice";
    case S_IFBLK:
      return "inode/blockdevice";
    default:
      return kUnknown;
  }
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

}  // namespace

void MimeTypes::CloseMagic::operator()(magic_set* magic) const { magic_close(magic); }

MimeTypes::MimeTypes() {
  for (const auto& [extension, type] : kBuiltIn) by_extension_.emplace(extension, type);
  std::ifstream system("/etc/mime.types");
  for (std::string line; std::getline(system, line);) {
    std::istringstream words(line.substr(0, line.find('#')));
    std::string type, extension;
    words >> type;
    while (words >> extension) by_extension_.emplace(lower(extension), type);
  }
}

std::optional<std::string_view> MimeTypes::by_name(mode_t mode, std::string_view name) const {
  if (const auto type = by_mode(mode)) return type;
  const std::size_t dot = name.rfind('.');
  // A leading dot hides a file, it does not begin an extension.
  if (dot == name.npos || dot == 0 || name.size() - dot > kLongestExtension) return std::nullopt;
  const auto found = by_extension_.find(lower(name.substr(dot + 1)));
  if (found == by_extension_.end()) return std::nullopt;
  return found->second;
}

std::string_view MimeTypes::by_content(mode_t mode, std::string_view name, ByteSpan head) {
  if (const auto type = by_name(mode, name)) return *type;
  if (head.empty()) return kUnknown;
  if (is_text(head)) return "text/plain";
  return by_magic(head);
}

std::string_view MimeTypes::by_magic(ByteSpan head) {
  if (magic_left_ <= 0 || magic_failed_) return kUnknown;
  magic_left_--;
  if (!magic_) {
    magic_.reset(magic_open(MAGIC_MIME_TYPE));
    if (!magic_ || magic_load(magic_.get(), nullptr) != 0) {
      magic_failed_ = true;
      return kUnknown;
    }
  }
  const char* const type =
      magic_buffer(magic_.get(), head.data(), std::min<std::size_t>(head.size(), 4 * kHeadBytes));
  if (!type) return kUnknown;
  last_ = type;
  return last_;
}

}  // namespace tusk::store
