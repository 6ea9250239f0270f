#include "cli/report.h"

#include <cstdio>

#include "cli/verbs.h"

namespace tusk::cli {

std::string one_line(const Error& error) {
  std::string text = error.hint.empty() ? error.what : error.what + "; " + error.hint;
  while (!text.empty() && text.back() == '\n') text.pop_back();
  for (std::size_t at = 0; (at = text.find('\n', at)) != std::string::npos;) {
    std::size_t end = text.find_first_not_of(" \t\n", at);
    text.replace(at, (end == std::string::npos ? text.size() : end) - at, ", ");
  }
  return text;
}

void complain(const std::string& line) { std::fprintf(stderr, "tuskfs: %s\n", line.c_str()); }

int report(const Error& error) {
  complain(one_line(error));
  return kFailed;
}

}  // namespace tusk::cli
