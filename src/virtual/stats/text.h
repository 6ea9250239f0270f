// A table of statistics as people and programs read it.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "tuskfs/store/collector.h"
#include "virtual/stats/statistics.h"

namespace tusk::virt {

using Json = nlohmann::ordered_json;
inline constexpr int kSchemaVersion = 1;

// Aligned, with a header; advice comes below as "# …".
std::string text_of(const store::StatTable& table);
// What the server wrote as a number; NaN and infinity stay words.
Json number_of(const std::string& text);
// A cell as JSON: numbers as numbers, what cannot be measured as null.
Json json_of(const store::StatTable& table, std::size_t row, std::size_t column);
// {"schema_version", "measured_at", "statistic", "rows": [{column: value}]}
Json json_of(const std::string& name, const store::StatTable& table);
// {"columns": [], "rows": [[]], "advice": [], "error": null}, for the pages.
Json section_of(const std::string& name, const Result<store::StatTable>& table);

// The advice in a table, each once.
std::vector<std::string> advice_in(const store::StatTable& table);
// What is said instead of the table; empty: nothing.
std::string remark_on(const std::string& name, const store::StatTable& table);
// Why there is no table, in one line.
std::string problem_of(const Error& error);

}  // namespace tusk::virt
