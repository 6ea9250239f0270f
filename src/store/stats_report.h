// The weekly report's texts of sql/reports, put together.
#pragma once

#include <string>

namespace tusk::store {

// The report of now, of nothing but the catalogs: one row (document, plain, markdown).
std::string report_without_schema();
// The views and functions that tusk_stats has for it.
std::string report_schema_script();
// sql/examples/dashboard_stats.sql
std::string dashboard_stats_script();

}  // namespace tusk::store
