// One line per event, to stderr, a file or syslog; levels as spdlog's. Never holds a secret.
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>

#include "tuskfs/base/result.h"

namespace tusk::log {

enum class Level { debug, info, warning, error };

struct Options {
  std::string file;  // empty: stderr while in the foreground, syslog once detached
  Level level = Level::info;
  bool to_syslog = false;
};

Result<void> configure(const Options& options);
Result<Level> parse_level(std::string_view name);  // EINVAL with the list of names

bool enabled(Level level);
void write(Level level, std::string_view line);

template <class... Args>
void emit(Level level, fmt::format_string<Args...> format, Args&&... args) {
  if (enabled(level)) write(level, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void debug(fmt::format_string<Args...> format, Args&&... args) {
  emit(Level::debug, format, std::forward<Args>(args)...);
}
template <class... Args>
void info(fmt::format_string<Args...> format, Args&&... args) {
  emit(Level::info, format, std::forward<Args>(args)...);
}
template <class... Args>
void warning(fmt::format_string<Args...> format, Args&&... args) {
  emit(Level::warning, format, std::forward<Args>(args)...);
}
template <class... Args>
void error(fmt::format_string<Args...> format, Args&&... args) {
  emit(Level::error, format, std::forward<Args>(args)...);
}

}  // namespace tusk::log
