#include "virtual/stats/statistics.h"

#include <utility>

namespace tusk::virt {

std::chrono::nanoseconds Statistics::fresh_for(const std::string& name) {
  using std::chrono::seconds;
  if (name.starts_with("health")) return seconds(1);
  if (name.starts_with("slow_queries")) return seconds(30);
  return name == "sizes" ? seconds(60) : seconds(5);
}

void Statistics::get(const std::string& name, std::move_only_function<void(SharedTable)> done) {
  Kept& kept = kept_[name];
  // An error is not kept: what is put right shows at once.
  const bool is_good = kept.table && kept.table->has_value();
  if (is_good && executor_.now() - kept.collected_at < fresh_for(name)) return done(kept.table);
  kept.waiters.push_back(std::move(done));
  if (std::exchange(kept.collecting, true)) return;
  collector_.collect(name, [this, name](Result<store::StatTable> table) {
    Kept& entry = kept_[name];
    entry.collecting = false;
    entry.table = std::make_shared<const Result<store::StatTable>>(std::move(table));
    entry.collected_at = executor_.now();
    const SharedTable answer = entry.table;
    for (auto& waiter : std::exchange(entry.waiters, {})) waiter(answer);
  });
}

void Statistics::get_all(std::vector<std::string> names,
                         std::move_only_function<void(Tables)> done) {
  struct Gathered {
    Tables tables;
    std::size_t missing;
    std::move_only_function<void(Tables)> done;
  };
  auto gathered = std::make_shared<Gathered>(Tables{}, names.size(), std::move(done));
  for (const std::string& name : names) {
    get(name, [gathered, name](SharedTable table) {
      gathered->tables[name] = std::move(table);
      if (--gathered->missing == 0) gathered->done(std::move(gathered->tables));
    });
  }
}

std::optional<MonotonicTime> Statistics::last_collected() const {
  std::optional<MonotonicTime> last;
  for (const auto& [name, kept] : kept_)
    if (kept.table && (!last || kept.collected_at > *last)) last = kept.collected_at;
  return last;
}

}  // namespace tusk::virt
