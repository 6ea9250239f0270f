// Between a client and a server on Unix sockets: passes everything on until told to lose answers.
#pragma once

#include <atomic>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>

#include "support/mount.h"
#include "tuskfs/base/fd.h"

namespace tusk::test {

class PgProxy {
 public:
  explicit PgProxy(const std::string& server_socket);
  PgProxy(const PgProxy&) = delete;
  PgProxy& operator=(const PgProxy&) = delete;

  // Instead of "host=…" of the server's conninfo.
  std::string folder() const { return temp_.path().string(); }
  // From the next message of a client on that has `part` in it (the name of a statement), the
  // server gets it and the client gets no answer: the connection is cut once the server has
  // answered. Connections made afterwards work.
  void lose_next_answer_to(std::string part) {
    part_ = std::move(part);
    losing_ = true;
  }
  std::size_t connections() const { return connections_; }

 private:
  void accept_all(const std::stop_token& stop);
  void relay(const std::stop_token& stop, Fd client);

  TempFolder temp_;
  std::string server_socket_;
  Fd listener_;
  std::string part_;  // not changed while losing_
  std::atomic<bool> losing_ = false;
  std::atomic<std::size_t> connections_ = 0;
  std::vector<std::jthread> relays_;  // of the accepting thread
  std::jthread acceptor_;
};

}  // namespace tusk::test
