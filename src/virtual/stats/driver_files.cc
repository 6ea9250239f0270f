#include "virtual/stats/driver_files.h"

#include <fmt/format.h>

#include <cstring>

#include "tuskfs/base/times.h"
#include "virtual/stats/access_stream.h"
#include "virtual/stats/made_file.h"

namespace tusk::virt {
namespace {

using store::StatTable;

std::string in_us(std::chrono::nanoseconds time) {
  return fmt::format("{:.1f}", static_cast<double>(time.count()) / 1000);
}

std::string errors_of(const vfs::OpFacts& facts) {
  std::string out;
  for (const auto& [code, count] : facts.errors) {
    const char* name = ::strerrorname_np(code);
    out += fmt::format("{}{}={}", out.empty() ? "" : " ",
                       name ? name : std::to_string(code).c_str(), count);
  }
  return out.empty() ? "-" : out;
}

std::uint64_t error_count(const vfs::OpFacts& facts) {
  std::uint64_t all = 0;
  for (const auto& [code, count] : facts.errors) all += count;
  return all;
}

// A row for each operation that has run.
template <class Fn>
void for_each_op(const vfs::Meter& meter, Fn fn) {
  for (std::size_t i = 0; i < vfs::kOpNames.size(); i++) {
    const vfs::OpFacts& facts = meter.of(static_cast<vfs::Op>(i));
    if (facts.time.count() > 0) fn(std::string(vfs::kOpNames[i]), facts);
  }
}

StatTable ops_table(const vfs::Meter& meter) {
  StatTable table;
  table.columns = {{"operation"}, {"count", true}, {"errors", true}, {"by_errno"}};
  for_each_op(meter, [&](const std::string& name, const vfs::OpFacts& facts) {
    table.rows.push_back({name, std::to_string(facts.time.count()),
                          std::to_string(error_count(facts)), errors_of(facts)});
  });
  return table;
}

StatTable latency_table(const vfs::Meter& meter) {
  StatTable table;
  table.columns = {{"operation"},           {"count", true},         {"p50_us", true},
                   {"p99_us", true},        {"max_us", true},        {"waited", true},
                   {"waited_p50_us", true}, {"waited_p99_us", true}, {"reply_p50_us", true},
                   {"reply_p99_us", true}};
  for_each_op(meter, [&](const std::string& name, const vfs::OpFacts& facts) {
    table.rows.push_back({name, std::to_string(facts.time.count()), in_us(facts.time.quantile(0.5)),
                          in_us(facts.time.quantile(0.99)), in_us(facts.time.most()),
                          std::to_string(facts.waited.count()), in_us(facts.waited.quantile(0.5)),
                          in_us(facts.waited.quantile(0.99)), in_us(facts.reply.quantile(0.5)),
                          in_us(facts.reply.quantile(0.99))});
  });
  return table;
}

struct StatusFile {
  const char* name;
  std::vector<const char*> keys;
};
const std::vector<StatusFile> kStatusFiles = {
    {"txg",
     {"group_committed", "group_durable", "groups", "inodes_committed", "commit_p50_ms",
      "commit_p99_ms", "commit_max_ms", "lag_ms", "dirty_bytes", "dirty_inodes", "last_commit",
      "last_error"}},
    {"cache", {"cached_inodes", "cached_bytes", "dirty_inodes", "dirty_bytes"}},
    {"pool", {"database", "connected", "statements"}},
    {"delegation", {"delegation", "delegations_lent"}},
};

Json chosen(const std::string& status, const std::vector<const char*>& keys) {
  const Json all = Json::parse(status, nullptr, false);
  Json out = Json::object();
  if (!all.is_object()) return out;
  for (const char* key : keys)
    if (all.contains(key)) out[key] = all[key];
  return out;
}

// A line each: the key, the value.
std::string flat(const Json& facts) {
  std::string out;
  for (const auto& [key, value] : facts.items()) {
    std::string text = value.is_string() ? value.get<std::string>() : value.dump();
    std::ranges::replace(text, '\n', ' ');
    out += fmt::format("{} {}\n", key, text.empty() ? "-" : text);
  }
  return out;
}

class Folder {
 public:
  Folder(Executor& executor, DriverFacts facts) : executor_(executor), facts_(std::move(facts)) {}

  using Table = StatTable (*)(const vfs::Meter&);
  void add_table(const std::string& name, Table table) {
    const vfs::Meter& meter = *facts_.meter;
    add(name, [&meter, table](WallTime) { return text_of(table(meter)); });
    add(name + ".json", [&meter, table, name](WallTime now) {
      StatTable made = table(meter);
      made.measured_at = now;
      return pretty(json_of(name, made));
    });
  }
  void add_status(const StatusFile& file) {
    const auto facts = [status = facts_.status, &file] { return chosen(status(), file.keys); };
    add(file.name, [facts](WallTime) { return flat(facts()); });
    add(std::string(file.name) + ".json", [facts](WallTime now) {
      Json out = {{"schema_version", kSchemaVersion}, {"measured_at", time_text(now)}};
      out.update(facts());
      return pretty(out);
    });
  }
  void add_access_log() {
    folder_.entries.push_back(live_file("accesslog", access_file(facts_.meter->accesses)));
  }
  LiveEntry finish() { return std::move(folder_); }

 private:
  void add(const std::string& name, std::function<std::string(WallTime)> make) {
    const MadeFile::How at_once{0444, std::chrono::nanoseconds(0)};
    folder_.entries.push_back(live_file(
        name, std::make_unique<MadeFile>(at_once, [&executor = executor_, make](auto done) {
          const WallTime now = executor.wall_now();
          done(make(now), now);
        })));
  }

  Executor& executor_;
  const DriverFacts facts_;
  LiveEntry folder_{.name = "fs"};
};

std::string in_seconds(std::chrono::nanoseconds time) {
  return fmt::format("{:.9f}", static_cast<double>(time.count()) / 1e9);
}

}  // namespace

LiveEntry driver_folder(Executor& executor, DriverFacts facts) {
  Folder folder(executor, std::move(facts));
  folder.add_table("ops", ops_table);
  folder.add_table("latency", latency_table);
  for (const StatusFile& file : kStatusFiles) folder.add_status(file);
  folder.add_access_log();
  return folder.finish();
}

// No counters: promtool and OpenMetrics do not agree on how one is named. How many operations there
// were is the summary's count.
void add_driver_metrics(Metrics& metrics, const vfs::Meter& meter) {
  metrics.family("tusk_fs_operation_errors", "Operations answered with an error since the mount.");
  for_each_op(meter, [&](const std::string& name, const vfs::OpFacts& facts) {
    metrics.labelled({{"operation", name}}, std::to_string(error_count(facts)));
  });
  metrics.family("tusk_fs_operation_seconds", "From a request until its answer.", "summary");
  for_each_op(meter, [&](const std::string& name, const vfs::OpFacts& facts) {
    for (const double q : {0.5, 0.99})
      metrics.labelled({{"operation", name}, {"quantile", fmt::format("{}", q)}},
                       in_seconds(facts.time.quantile(q)));
    metrics.labelled({{"operation", name}}, in_seconds(facts.time.sum()), "_sum");
    metrics.labelled({{"operation", name}}, std::to_string(facts.time.count()), "_count");
  });
}

}  // namespace tusk::virt
