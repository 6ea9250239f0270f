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

namespace tusk::store {

class Janitor {
 public:
  Janitor(ConnectionContext& context, TenantId tenant, std::chrono::milliseconds first_after,
          std::chrono::milliseconds every);

 private:
  void run(const std::stop_token& stop);
  void collect(const std::stop_token& stop);
  bool pause(const std::stop_token& stop, std::chrono::milliseconds time);

  ConnectionContext& context_;
  const TenantId tenant_;
  const std::chrono::milliseconds first_after_, every_;
  std::mutex mutex_;  // for the pauses alone
  std::condition_variable_any stopped_;
  std::jthread thread_;  // the last member: its end comes first
};

}  // namespace tusk::store
