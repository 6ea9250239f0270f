#include "virtual/names.h"

#include <algorithm>

namespace tusk::virt {
namespace {

// At most `size` bytes, no character cut in two.
std::string_view shortened(std::string_view text, std::size_t size) {
  if (text.size() <= size) return text;
  while (size > 0 && (static_cast<unsigned char>(text[size]) & 0xc0) == 0x80) size--;
  return text.substr(0, size);
}

}  // namespace

bool is_name(std::string_view name) {
  return !name.empty() && name != "." && name != ".." && name.size() <= kNameMax &&
         name.find('/') == name.npos;
}

std::string Names::take(std::string_view stem, std::string_view suffix) {
  for (std::size_t n = 1;; n++) {
    std::string end(suffix);
    if (n > 1) end += "~" + std::to_string(n);
    std::string name = std::string(shortened(stem, kNameMax - end.size())) + end;
    if (taken_.insert(name).second) return name;
  }
}

}  // namespace tusk::virt
