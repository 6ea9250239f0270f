#include "stats_texts.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <vector>

#include "sql_file.h"
#include "tuskfs/store/collector.h"

namespace tusk::store {
namespace {

constexpr SqlFile kStatistics[] = {
#include <tuskfs/stats.inc>
};
constexpr SqlFile kSources[] = {
#include <tuskfs/stats_sources.inc>
};
constexpr SqlFile kReports[] = {
#include <tuskfs/reports.inc>
};
constexpr SqlFile kExamples[] = {
#include <tuskfs/examples.inc>
};

template <std::size_t N>
std::string_view text_of(const SqlFile (&files)[N], std::string_view name) {
  const auto found = std::ranges::find_if(
      files, [&](const SqlFile& file) { return file.name == fmt::format("{}.sql", name); });
  return found == std::end(files) ? std::string_view() : found->text;
}

}  // namespace

std::string_view stats_text(std::string_view name) { return text_of(kStatistics, name); }
std::string_view stats_source(std::string_view name) { return text_of(kSources, name); }
std::string_view report_text(std::string_view name) { return text_of(kReports, name); }
std::string_view example_text(std::string_view name) { return text_of(kExamples, name); }

std::vector<std::string> statistics() {
  std::vector<std::string> names;
  for (const SqlFile& file : kStatistics)
    names.emplace_back(file.name.substr(0, file.name.find('.')));
  return names;
}

}  // namespace tusk::store
