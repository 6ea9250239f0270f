// Removes in the background what history need not keep any longer.
#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <stop_token>
#include <thread>

#include "connection.h"
#include "tuskfs/base/ids.h"
#include "tuskfs/objects/objects.h"

namespace tusk::store {

class Janitor {
 public:
  struct Plan {
    std::chrono::milliseconds first_after, every;
    std::chrono::seconds object_grace;
  };
  // `objects` null: the tree has none.
  Janitor(ConnectionContext& context, TenantId tenant, objects::StoredObjects* objects, Plan plan);

 private:
  void run(const std::stop_token& stop);
  void collect(const std::stop_token& stop);
  bool collect_rows(Connection& connection, const std::stop_token& stop);
  void prune_changes(Connection& connection, const std::stop_token& stop);
  void collect_objects_of(Connection& connection, const std::stop_token& stop);
  bool pause(const std::stop_token& stop, std::chrono::milliseconds time);

  ConnectionContext& context_;
  const TenantId tenant_;
  objects::StoredObjects* const objects_;
  const Plan plan_;
  std::mutex mutex_;  // for the pauses alone
  std::condition_variable_any stopped_;
  std::jthread thread_;  // the last member: its end comes first
};

}  // namespace tusk::store
