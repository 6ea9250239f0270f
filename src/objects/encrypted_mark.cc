#include <fmt/format.h>

#include <cerrno>

#include "objects/digest.h"
#include "objects/encrypted.h"

namespace tusk::objects {
namespace {

constexpr std::string_view kSays = "tuskfs objects, version 1, aes-256-gcm, key ";

}  // namespace

std::string mark_of(const MasterKey& key) {
  return fmt::format("{}{}\n", kSays, hex_of(id_of(key)));
}

Result<void> judge_mark(const std::string& mark, const MasterKey* key, const std::string& place) {
  if (mark == (key ? mark_of(*key) : std::string())) return {};
  if (mark.empty()) {
    return fail(EINVAL, fmt::format("the objects at {} are not encrypted", place),
                "leave the keyfile away, or choose another place");
  }
  const bool whole = mark.starts_with(kSays) && mark.size() == kSays.size() + 33 &&
                     mark.ends_with('\n') &&
                     from_hex(std::string_view(mark).substr(kSays.size(), 32));
  if (!whole) return fail(EIO, fmt::format("the mark of {} is damaged", place));
  const std::string id = mark.substr(kSays.size(), 8);
  if (!key) {
    return fail(EACCES, fmt::format("the objects at {} are encrypted: a keyfile is needed", place),
                fmt::format("the id of its key begins with {}", id));
  }
  return fail(EACCES, fmt::format("the objects at {} are encrypted with another key", place),
              fmt::format("the id of that key begins with {}, of the one given with {}", id,
                          hex_of(id_of(*key)).substr(0, 8)));
}

}  // namespace tusk::objects
