#include "virtual/stats/driver_files.h"

#include <fmt/format.h>

#include <cmath>
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

std::uint64_t operation_count(const vfs::Meter& meter) {
  std::uint64_t all = 0;
  for (std::size_t i = 0; i < vfs::kOpNames.size(); i++)
    all += meter.of(static_cast<vfs::Op>(i)).time.count();
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

void add_quantiles(std::vector<std::optional<std::string>>& row, const Histogram& times) {
  for (const double q : {0.5, 0.99}) row.push_back(in_us(times.quantile(q)));
}

StatTable latency_table(const vfs::Meter& meter) {
  StatTable table;
  table.columns = {{"operation"},          {"count", true},  {"p50_us", true},
                   {"p99_us", true},       {"max_us", true}, {"fuse_p50_us", true},
                   {"fuse_p99_us", true},  {"waited", true}, {"waited_p50_us", true},
                   {"waited_p99_us", true}};
  for (const char* what : {"pg", "lock"})
    for (const char* of : {"waited", "p50_us", "p99_us"})
      table.columns.push_back({fmt::format("{}_{}", what, of), true});
  for_each_op(meter, [&](const std::string& name, const vfs::OpFacts& facts) {
    auto& row = table.rows.emplace_back();
    row = {name, std::to_string(facts.time.count())};
    add_quantiles(row, facts.time);
    row.push_back(in_us(facts.time.most()));
    add_quantiles(row, facts.reply);
    for (const Histogram* waits : {&facts.waited, &facts.database, &facts.lock}) {
      row.push_back(std::to_string(waits->count()));
      add_quantiles(row, *waits);
    }
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
    {"delegation", {"delegation", "delegations_lent", "lent_to", "presence", "others"}},
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

// What the operations cost the database: all that the store sent, and what its groups wrote.
Json cost_of(const DriverFacts& facts) {
  Json out =
      chosen(facts.status(), {"statements", "group_statements", "wal_bytes", "inodes_committed"});
  const auto per = [&out](const char* what, std::uint64_t of) -> Json {
    if (of == 0) return nullptr;
    return std::round(100 * out.value(what, 0.0) / static_cast<double>(of)) / 100;
  };
  const std::uint64_t all = operation_count(*facts.meter), changes = facts.meter->changes();
  const Json inodes = out.value("inodes_committed", Json(0));
  out["operations"] = all;
  out["changes"] = changes;
  out["statements_per_operation"] = per("statements", all);
  out["group_statements_per_change"] = per("group_statements", changes);
  out["wal_bytes_per_change"] = per("wal_bytes", changes);
  out["wal_bytes_per_inode"] = per("wal_bytes", inodes.get<std::uint64_t>());
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
    add_facts(file.name, [status = facts_.status, &file] { return chosen(status(), file.keys); });
  }
  void add_cost() {
    add_facts("sql", [facts = facts_] { return cost_of(facts); });
  }
  void add_facts(const std::string& name, std::function<Json()> facts) {
    add(name, [facts](WallTime) { return flat(facts()); });
    add(name + ".json", [facts](WallTime now) {
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
  folder.add_cost();
  folder.add_access_log();
  return folder.finish();
}

namespace {

void add_waits(Metrics& metrics, const vfs::Meter& meter) {
  metrics.family("tusk_fs_operation_wait_seconds",
                 "Of operations that had to wait: for the database, or for others who write.",
                 "summary");
  for_each_op(meter, [&](const std::string& name, const vfs::OpFacts& facts) {
    for (const auto& [what, waits] :
         {std::pair{"database", &facts.database}, {"lock", &facts.lock}}) {
      if (waits->count() == 0) continue;
      for (const double q : {0.5, 0.99})
        metrics.labelled({{"operation", name}, {"for", what}, {"quantile", fmt::format("{}", q)}},
                         in_seconds(waits->quantile(q)));
      metrics.labelled({{"operation", name}, {"for", what}}, in_seconds(waits->sum()), "_sum");
      metrics.labelled({{"operation", name}, {"for", what}}, std::to_string(waits->count()),
                       "_count");
    }
  });
}

void add_cost(Metrics& metrics, const DriverFacts& driver) {
  const Json cost = cost_of(driver);
  for (const auto& [key, help] :
       {std::pair{"statements", "SQL statements sent since the mount."},
        {"group_statements", "Of these: of transaction groups that were committed."},
        {"wal_bytes", "WAL that the server wrote while groups were written."},
        {"changes", "Operations that changed the tree."},
        {"inodes_committed", "Files and folders in committed groups, each time they were."}}) {
    const std::string name = fmt::format("tusk_fs_{}", key);
    metrics.family(name, help);
    metrics.sample(cost.value(key, Json(0)).dump());
  }
}

}  // namespace

// No counters: promtool and OpenMetrics do not agree on how one is named. How many operations there
// were is the summary's count.
void add_driver_metrics(Metrics& metrics, const DriverFacts& driver) {
  const vfs::Meter& meter = *driver.meter;
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
  add_waits(metrics, meter);
  add_cost(metrics, driver);
}

}  // namespace tusk::virt
