// Between a client and an HTTP server: passes requests on whole, and goes wrong as told.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "tuskfs/base/fd.h"

namespace tusk::test {

enum class Fault {
  none,
  drop_request,           // the connection ends once the head of the request is there
  half_request,           // the server gets half of the body, then both connections end
  drop_answer,            // the server does what it is asked; the client never hears of it
  half_head,              // the answer ends within its head
  half_answer,            // the answer's body ends half way
  half_answer_no_length,  // the same, and the answer does not say how long it should have been
  hang,                   // nothing comes any more, on a connection that stays
  answer,                 // `text` is answered, and the server is not asked
};

struct FaultPlan {
  std::string matching;  // what the head of the request has, such as "PUT /tusk"
  Fault fault = Fault::none;
  int times = 1;
  int after = 0;  // as many such requests pass unharmed before
  int delay_ms = 0;
  std::string text = {};  // a whole answer, head and body
};

// "HTTP/1.1 503 …" with this body.
std::string http_answer(int status, const std::string& body, const std::string& headers = {});
// As S3 says what is wrong.
std::string s3_error(int status, const std::string& code, const std::string& more = {});

class HttpProxy {
 public:
  explicit HttpProxy(std::uint16_t server_port);
  HttpProxy(const HttpProxy&) = delete;
  HttpProxy& operator=(const HttpProxy&) = delete;

  std::string endpoint() const { return "http://127.0.0.1:" + std::to_string(port_); }
  void plan(FaultPlan);
  void forget_plans();
  // Faults that have not come about yet.
  std::size_t left();
  // First lines of the requests so far, as "GET /tusk/key HTTP/1.1".
  std::vector<std::string> requests();
  std::size_t requests_with(const std::string& text);
  // Everything clients have sent, but for the bodies.
  std::string heads();

 private:
  void accept_all(const std::stop_token& stop);
  void serve(const std::stop_token& stop, Fd client);
  FaultPlan next_fault(const std::string& head);

  const std::uint16_t server_port_;
  std::uint16_t port_ = 0;
  Fd listener_;
  std::mutex mutex_;
  std::deque<FaultPlan> plans_;
  std::string heads_;
  std::vector<std::string> requests_;
  std::vector<std::jthread> connections_;  // of the accepting thread
  std::jthread acceptor_;
};

}  // namespace tusk::test
