// The texts of sql/stats and sql/stats_sources, by name.
#pragma once

#include <string_view>

namespace tusk::store {

std::string_view stats_text(std::string_view name);
std::string_view stats_source(std::string_view name);

}  // namespace tusk::store
