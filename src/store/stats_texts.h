// The texts of sql/stats, sql/stats_sources, sql/reports and sql/examples, by name.
#pragma once

#include <string_view>

namespace tusk::store {

std::string_view stats_text(std::string_view name);
std::string_view stats_source(std::string_view name);
std::string_view report_text(std::string_view name);
std::string_view example_text(std::string_view name);

}  // namespace tusk::store
