#include "virtual/stats/trend.h"

#include "tuskfs/base/times.h"

namespace tusk::virt {
namespace {

constexpr auto kApart = std::chrono::seconds(10);
constexpr auto kKept = std::chrono::hours(1);

}  // namespace

void Trend::note(const Statistics::Tables& tables, WallTime now, MonotonicTime elapsed) {
  for (const std::string& name : kHealthStatistics)
    if (!tables.contains(name)) return;
  const Health health = health_of(tables, now);
  if (!health.components) return;  // nothing was measured
  if (!samples_.empty() && elapsed - samples_.back().taken_at < kApart) return;
  while (!samples_.empty() && elapsed - samples_.front().taken_at > kKept) samples_.pop_front();
  const store::StatTable& table = *health.components;
  const auto name = table.column("component"), value = table.column("value");
  Json components = Json::object();
  for (std::size_t row = 0; name && value && row < table.rows.size(); row++)
    components[table.rows[row][*name].value_or("")] = json_of(table, row, *value);
  samples_.push_back({elapsed,
                      {{"at", time_text(health.measured_at)},
                       {"score", health.score ? Json(*health.score) : Json(nullptr)},
                       {"components", std::move(components)}}});
}

Json Trend::joined(const std::string& captured) const {
  Json all = Json::parse(captured, nullptr, false);
  if (!all.is_array()) all = Json::array();
  // The capture of today may be younger than the first samples.
  if (!samples_.empty()) {
    const std::string first = samples_.front().point.at("at");
    while (!all.empty() && all.back().value("at", "") >= first) all.erase(all.size() - 1);
  }
  for (const Sample& sample : samples_) all.push_back(sample.point);
  return all;
}

}  // namespace tusk::virt
