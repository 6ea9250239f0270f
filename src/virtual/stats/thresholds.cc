#include "virtual/stats/thresholds.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <sstream>

#include "tuskfs/base/log.h"
#include "virtual/stats/text.h"

namespace tusk::virt {
namespace {

using vfs::Reply;

constexpr const char* kStatistic = "thresholds_in_use";
constexpr std::array kComponents = {"blocked",         "cache_hit",    "connections",
                                    "dead_tuples",     "idle_ratio",   "oldest_xact",
                                    "replication_lag", "unused_index", "xid_age"};

std::optional<double> number_in(const std::string& text) {
  double value = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (problem != std::errc() || end != text.data() + text.size() || !std::isfinite(value))
    return std::nullopt;
  return value;
}

std::optional<store::Threshold> row_of(const store::StatTable& table, const std::string& name) {
  for (const auto& row : table.rows) {
    const auto cell = [&](const char* column) { return row[*table.column(column)].value_or(""); };
    if (cell("name") == name)
      return store::Threshold{name, cell("good"), cell("warn"), cell("crit")};
  }
  return std::nullopt;
}

// "WARN CRIT", or "- CRIT" where there is no point in between. EINVAL for what is none of these,
// ERANGE where warn lies beyond crit.
vfs::Outcome<store::Threshold> changed(store::Threshold threshold, std::string_view text) {
  std::istringstream words{std::string(text)};
  std::string rest;
  if (!(words >> threshold.warn >> threshold.crit) || words >> rest) return vfs::error(EINVAL);
  if (threshold.warn == "-") threshold.warn.clear();
  const auto crit = number_in(threshold.crit);
  const auto warn = threshold.warn.empty() ? crit : number_in(threshold.warn);
  if (!warn || !crit) return vfs::error(EINVAL);
  // Where it is good moves along when warn passes it.
  const bool counts_down = threshold.name == "cache_hit";
  if (counts_down ? *warn < *crit : *warn > *crit) return vfs::error(ERANGE);
  return threshold;
}

class ThresholdFile final : public LiveFile {
 public:
  ThresholdFile(Statistics& statistics, std::string name)
      : statistics_(statistics), name_(std::move(name)) {}

  mode_t permissions() const override { return 0644; }

  void render(Reply<Rendered> done) override {
    statistics_.get(kStatistic, [this, done = std::move(done)](SharedTable table) mutable {
      const auto threshold = *table ? row_of(**table, name_) : std::nullopt;
      std::string text = "# n/a\n";
      if (!*table) text = "# " + problem_of(table->error()) + "\n";
      if (threshold)
        text = fmt::format("{} {}\n", threshold->warn.empty() ? "-" : threshold->warn,
                           threshold->crit);
      const WallTime at = *table ? (*table)->measured_at : statistics_.now();
      done(Rendered{std::make_shared<const std::string>(std::move(text)), at});
    });
  }

  void take(std::string_view text, Reply<void> done) override {
    statistics_.get(kStatistic, [this, text = std::string(text),
                                 done = std::move(done)](SharedTable table) mutable {
      const auto present = *table ? row_of(**table, name_) : std::nullopt;
      if (!present) return done(vfs::error(EIO));
      const auto wanted = changed(*present, text);
      if (!wanted) return done(std::unexpected(wanted.error()));
      statistics_.collector().set_threshold(
          *wanted, [this, done = std::move(done)](Result<void> set) mutable {
            statistics_.forget();
            if (set) return done({});
            log::error("the threshold of {} is not set: {}", name_, set.error().what);
            done(vfs::error(set.error().code == ENOTCONN ? EIO : set.error().code));
          });
    });
  }

 private:
  Statistics& statistics_;
  const std::string name_;
};

}  // namespace

LiveEntry thresholds_folder(Statistics& statistics) {
  LiveEntry folder{.name = "thresholds"};
  for (const char* name : kComponents)
    folder.entries.push_back(live_file(name, std::make_unique<ThresholdFile>(statistics, name)));
  return folder;
}

}  // namespace tusk::virt
