// What was collected last of each statistic, so that all files that show one show the same.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tuskfs/base/executor.h"
#include "tuskfs/store/collector.h"

namespace tusk::virt {

using SharedTable = std::shared_ptr<const Result<store::StatTable>>;

class Statistics {
 public:
  Statistics(Executor& executor, store::Collector& collector)
      : executor_(executor), collector_(collector) {}

  // Collected now, unless what was collected last is younger than this statistic changes.
  void get(const std::string& name, std::move_only_function<void(SharedTable)> done);
  // All of them, by name.
  using Tables = std::map<std::string, SharedTable>;
  void get_all(std::vector<std::string> names, std::move_only_function<void(Tables)> done);

  // What is asked for next is collected anew.
  void forget() {
    for (auto& [name, kept] : kept_) kept.table = nullptr;
  }

  // Of what was collected last; none: nothing was.
  std::optional<MonotonicTime> last_collected() const;

  static std::chrono::nanoseconds fresh_for(const std::string& name);
  WallTime now() const { return executor_.wall_now(); }
  MonotonicTime elapsed() const { return executor_.now(); }
  store::Collector& collector() { return collector_; }

 private:
  struct Kept {
    SharedTable table;
    MonotonicTime collected_at{};
    bool collecting = false;
    std::vector<std::move_only_function<void(SharedTable)>> waiters;
  };

  Executor& executor_;
  store::Collector& collector_;
  std::map<std::string, Kept> kept_;
};

}  // namespace tusk::virt
