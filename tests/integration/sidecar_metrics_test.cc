// What Prometheus scrapes: stats/metrics.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <regex>
#include <set>
#include <sstream>

#include "support/fs_calls.h"
#include "support/fs_sql.h"
#include "support/sidecar_mount.h"
#include "support/store_backends.h"

namespace tusk::test {
namespace {

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

}  // namespace
}  // namespace tusk::test
