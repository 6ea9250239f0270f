// Listens to a channel on a connection and a thread of its own.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "servers.h"
#include "tuskfs/base/fd.h"

namespace tusk::store {

class ChangeFeed {
 public:
  // Called on the feed's thread. `pid`: of the session that told it.
  struct Listener {
    std::function<void(int pid, std::string_view payload)> told;
    std::function<void(bool)> connected;
  };
  ChangeFeed(std::string conninfo, std::shared_ptr<Servers> servers, std::string channel,
             Listener listener);
  ~ChangeFeed();

 private:
  void run(const std::stop_token& stop);
  void listen(const std::stop_token& stop);
  void hear(PGconn* conn, const std::stop_token& stop);
  // False: told to stop.
  bool pause(int ms);

  const std::string conninfo_;
  const std::shared_ptr<Servers> servers_;
  const std::string channel_;
  const Listener listener_;
  Fd stop_event_;
  std::jthread thread_;
};

}  // namespace tusk::store
