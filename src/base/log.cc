#include "tuskfs/base/log.h"

#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/sinks/syslog_sink.h>
#include <spdlog/spdlog.h>

#include <cerrno>

namespace tusk::log {
namespace {

spdlog::level::level_enum to_spdlog(Level level) {
  switch (level) {
    case Level::debug:
      return spdlog::level::debug;
    case Level::info:
      return spdlog::level::info;
    case Level::warning:
      return spdlog::level::warn;
    case Level::error:
      return spdlog::level::err;
  }
  return spdlog::level::err;
}

spdlog::sink_ptr make_sink(const Options& options) {
  if (!options.file.empty())
    return std::make_shared<spdlog::sinks::basic_file_sink_mt>(options.file);
  if (options.to_syslog) {
    return std::make_shared<spdlog::sinks::syslog_sink_mt>("tuskfs", LOG_PID, LOG_DAEMON, false);
  }
  return std::make_shared<spdlog::sinks::stderr_sink_mt>();
}

}  // namespace

Result<void> configure(const Options& options) {
  try {
    auto logger = std::make_shared<spdlog::logger>("tuskfs", make_sink(options));
    logger->set_level(to_spdlog(options.level));
    logger->flush_on(spdlog::level::info);
    logger->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %l %v", spdlog::pattern_time_type::utc);
    spdlog::set_default_logger(std::move(logger));
    return {};
  } catch (const spdlog::spdlog_ex& e) {
    return fail(EIO, std::string("cannot open the log: ") + e.what(), "choose another --log-file");
  }
}

Result<Level> parse_level(std::string_view name) {
  if (name == "debug") return Level::debug;
  if (name == "info") return Level::info;
  if (name == "warning") return Level::warning;
  if (name == "error") return Level::error;
  return fail(EINVAL, fmt::format("unknown log level '{}'", name), "debug, info, warning or error");
}

bool enabled(Level level) { return spdlog::should_log(to_spdlog(level)); }

void write(Level level, std::string_view line) {
  spdlog::log(to_spdlog(level), "{}", spdlog::string_view_t(line.data(), line.size()));
}

}  // namespace tusk::log
