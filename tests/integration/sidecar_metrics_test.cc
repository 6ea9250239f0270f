// What Prometheus scrapes: stats/metrics.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <regex>
#include <set>
#include <sstream>

#include "support/fs_calls.h"
#include "support/fs_sql.h"
#include "support/sidecar_mount.h"
#include "support/store_backends.h"

namespace tusk::test {
namespace {

using Json = nlohmann::json;

class SidecarMetrics : public ::testing::Test {
 protected:
  const std::string database_ = new_database(true);
};

// What OpenMetrics asks of the kinds of lines that are used here.
std::string breach_of_openmetrics(const std::string& text) {
  const std::regex type("# TYPE ([a-zA-Z_:][a-zA-Z0-9_:]*) gauge"), help("# HELP ([^ ]+) [^\\n]*");
  const std::regex sample(
      R"re(([a-zA-Z_:][a-zA-Z0-9_:]*)(\{[a-zA-Z_][a-zA-Z0-9_]*="([^"\\]|\\[\\"n])*"(,[a-zA-Z_][a-zA-Z0-9_]*="([^"\\]|\\[\\"n])*")*\})? (-?[0-9.]+(e[-+]?[0-9]+)?|NaN|[-+]Inf))re");
  if (!text.ends_with("\n# EOF\n")) return "no # EOF at the end";
  std::set<std::string> families, series;
  std::string family;
  for (const std::string& line : lines_of(text.substr(0, text.size() - 6))) {
    std::smatch match;
    if (std::regex_match(line, match, type)) {
      family = match[1];
      if (!families.insert(family).second) return "twice: " + line;
    } else if (std::regex_match(line, match, help) || std::regex_match(line, match, sample)) {
      if (match[1] != family) return "not in its family: " + line;
      if (line[0] != '#' && !series.insert(line.substr(0, line.rfind(' '))).second)
        return "twice: " + line;
    } else {
      return "malformed: " + line;
    }
  }
  return {};
}

TEST_F(SidecarMetrics, metrics_are_openmetrics) {
  static int count = 0;
  Sql sql(database_);
  const std::string hostile = fmt::format("quo\"\"te\\\n{}", ++count);
  sql.run("create database \"" + hostile + "\"");
  const SidecarMount mount(database_);
  for (const char* name : {"metrics", "metrics.prom"}) {
    const std::string text = get(mount.stats(name));
    EXPECT_EQ(breach_of_openmetrics(text), "") << text;
    EXPECT_TRUE(holds(text, "tusk_up 1\n"));
  }
  sql.run("drop database \"" + hostile + "\"");
}

TEST_F(SidecarMetrics, promtool_accepts_the_metrics) {
  if (!run({"sh", "-c", "command -v promtool"}).ok()) GTEST_SKIP() << "there is no promtool";
  const SidecarMount mount(database_);
  const Finished checked =
      run({"promtool", "check", "metrics"}, {.input = get(mount.stats("metrics"))});
  EXPECT_TRUE(checked.ok()) << checked.out << checked.err;
}

Json rows_of(const SidecarMount& mount, const char* name) {
  const Json file = Json::parse(get(mount.stats(name)));
  EXPECT_EQ(file.at("schema_version"), 1);
  EXPECT_FALSE(file.at("measured_at").get<std::string>().empty());
  return file.at("rows");
}

// Name and labels of each, with the value where it stands still.
std::set<std::string> series_of(const Json& rows) {
  std::set<std::string> series;
  for (const Json& row : rows) {
    const std::string name = row.at("name");
    const bool stands_still = name.ends_with("_weight") || name == "tusk_up";
    series.insert(name + row.at("labels").dump() + (stands_still ? row.at("value").dump() : ""));
  }
  return series;
}

TEST_F(SidecarMetrics, the_same_as_json_and_as_rows) {
  run_ok({TUSKFS_BINARY, "sidecar", "--install", database_});
  const SidecarMount mount(database_);
  Sql sql(database_);
  const Json rows = rows_of(mount, "metrics.json");
  std::size_t samples = 0;
  for (const std::string& line : lines_of(get(mount.stats("metrics"))))
    samples += !line.starts_with("#") && !line.empty();
  EXPECT_EQ(rows.size(), samples);
  const std::string seen = sql.value(
      "select jsonb_agg(jsonb_build_object('name', name, 'labels', labels, 'value', "
      "value::numeric)) "
      "from tusk_stats.metrics");
  EXPECT_EQ(series_of(rows), series_of(Json::parse(seen)));
  EXPECT_GT(samples, 20u);
}

TEST_F(SidecarMetrics, the_score_alone_as_json) {
  const SidecarMount mount(database_);
  const bool same = eventually([&] {
    const Json score = Json::parse(get(mount.stats("score.json")));
    const Json health = Json::parse(get(mount.stats("health.json")));
    return score.at("score") == health.at("score") && score.at("status") == health.at("status") &&
           get(mount.stats("score")) == score.at("score").dump() + "\n";
  });
  EXPECT_TRUE(same);
}

}  // namespace
}  // namespace tusk::test
