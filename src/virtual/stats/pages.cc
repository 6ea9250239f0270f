#include "virtual/stats/pages.h"

#include <algorithm>
#include <array>
#include <cstdlib>

#include "tuskfs/base/log.h"

namespace tusk::virt {
namespace {

struct PageFile {
  std::string_view name;
  std::string_view text;
};
constexpr PageFile kFiles[] = {
#include <tuskfs/pages.inc>
};

std::string_view file(std::string_view name) {
  const auto found = std::ranges::find(kFiles, name, &PageFile::name);
  if (found != std::end(kFiles)) return found->text;
  log::error("there is no page {}", name);
  std::abort();
}

void replace_once(std::string& text, std::string_view mark, std::string_view with) {
  const std::size_t at = text.find(mark);
  if (at != text.npos) text.replace(at, mark.size(), with);
}

}  // namespace

std::string page(std::string_view name, const Json& document) {
  std::string text(file(std::string(name) + ".html"));
  replace_once(text, "/*TUSK_CSS*/", file("page.css"));
  replace_once(text, "/*TUSK_JS*/", file("page.js"));
  std::string data = document.dump(-1, ' ', false, Json::error_handler_t::replace);
  // Nothing in a name may end the script that holds the document.
  for (std::size_t at = 0; (at = data.find('<', at)) != data.npos;) data.replace(at, 1, "\\u003c");
  replace_once(text, "/*TUSK_DATA*/null", data);
  return text;
}

}  // namespace tusk::virt
