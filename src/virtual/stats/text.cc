#include "virtual/stats/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <charconv>

#include "tuskfs/base/times.h"

namespace tusk::virt {
namespace {

using store::StatTable;

constexpr std::string_view kAdvice = "advice";
// A query or a name must not break the lines of a table, nor command a terminal.
std::string printable(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); i++) {
    const auto byte = static_cast<unsigned char>(text[i]);
    // U+0080 to U+009F are control characters as well: U+009B is the short form of ESC [.
    const bool is_c1 =
        byte == 0xc2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xa0;
    if (is_c1) i++;
    out.push_back(byte < 0x20 || byte == 0x7f || is_c1 ? ' ' : text[i]);
  }
  return out;
}

// Characters, not bytes, so that columns stay columns.
std::size_t width_of(std::string_view text) {
  return static_cast<std::size_t>(
      std::ranges::count_if(text, [](char c) { return (c & 0xc0) != 0x80; }));
}

std::string padded(const std::string& text, std::size_t width, bool right) {
  const std::string space(width - std::min(width, width_of(text)), ' ');
  return right ? space + text : text + space;
}

std::string cell_text(const StatTable& table, std::size_t row, std::size_t column) {
  const auto& cell = table.rows[row][column];
  return cell ? printable(*cell) : "n/a";
}

}  // namespace

std::string text_of(const StatTable& table) {
  std::vector<std::size_t> shown, widths;
  for (std::size_t i = 0; i < table.columns.size(); i++) {
    if (table.columns[i].name == kAdvice) continue;
    shown.push_back(i);
    std::size_t width = width_of(table.columns[i].name);
    for (std::size_t row = 0; row < table.rows.size(); row++)
      width = std::max(width, width_of(cell_text(table, row, i)));
    widths.push_back(width);
  }
  std::string out;
  const auto add_line = [&](auto cell) {
    std::string line;
    for (std::size_t i = 0; i < shown.size(); i++) {
      if (i > 0) line += "  ";
      line += padded(cell(shown[i]), widths[i], table.columns[shown[i]].is_number);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + "\n";
  };
  add_line([&](std::size_t column) { return table.columns[column].name; });
  for (std::size_t row = 0; row < table.rows.size(); row++)
    add_line([&](std::size_t column) { return cell_text(table, row, column); });
  for (const std::string& advice : advice_in(table)) out += "# advice: " + printable(advice) + "\n";
  return out;
}

Json number_of(const std::string& text) {
  Json number = Json::parse(text, nullptr, false);
  return number.is_number() ? number : Json(text);
}

Json json_of(const StatTable& table, std::size_t row, std::size_t column) {
  const auto& cell = table.rows[row][column];
  if (!cell) return nullptr;
  if (!table.columns[column].is_number) return *cell;
  return number_of(*cell);
}

Json json_of(const std::string& name, const StatTable& table) {
  Json rows = Json::array();
  for (std::size_t row = 0; row < table.rows.size(); row++) {
    Json object = Json::object();
    for (std::size_t i = 0; i < table.columns.size(); i++)
      object[table.columns[i].name] = json_of(table, row, i);
    rows.push_back(std::move(object));
  }
  return {{"schema_version", kSchemaVersion},
          {"measured_at", time_text(table.measured_at)},
          {"statistic", name},
          {"rows", std::move(rows)}};
}

Json section_of(const std::string& name, const Result<StatTable>& table) {
  Json section = {{"columns", Json::array()},
                  {"rows", Json::array()},
                  {"advice", Json::array()},
                  {"error", nullptr}};
  if (!table) {
    section["error"] = problem_of(table.error());
    return section;
  }
  const auto advice = table->column(kAdvice);
  for (std::size_t i = 0; i < table->columns.size(); i++)
    if (i != advice) section["columns"].push_back(table->columns[i].name);
  for (std::size_t row = 0; row < table->rows.size(); row++) {
    Json cells = Json::array();
    for (std::size_t i = 0; i < table->columns.size(); i++)
      if (i != advice) cells.push_back(json_of(*table, row, i));
    section["rows"].push_back(std::move(cells));
  }
  section["advice"] = advice_in(*table);
  if (const std::string remark = remark_on(name, *table); !remark.empty())
    section["error"] = remark;
  return section;
}

std::vector<std::string> advice_in(const StatTable& table) {
  std::vector<std::string> all;
  const auto column = table.column(kAdvice);
  if (!column) return all;
  for (const auto& row : table.rows) {
    const auto& cell = row[*column];
    if (cell && std::ranges::find(all, *cell) == all.end()) all.push_back(*cell);
  }
  return all;
}

std::string remark_on(const std::string& name, const StatTable& table) {
  if (!name.starts_with("slow_queries") || table.has_statements) return {};
  return "pg_stat_statements is not on. To turn it on: add it to shared_preload_libraries (keep "
         "what "
         "is there: show shared_preload_libraries), restart the server, and in this database: "
         "create "
         "extension pg_stat_statements";
}

std::string problem_of(const Error& error) {
  if (error.code == ENOTCONN) return "unreachable: " + printable(error.what);
  if (error.code == ETIMEDOUT) return "it took too long: " + printable(error.what);
  return printable(error.what);
}

}  // namespace tusk::virt
