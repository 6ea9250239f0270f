#include "support/http_proxy.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <strings.h>
#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <stdexcept>

namespace tusk::test {
namespace {

constexpr int kPollMs = 50;

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

bool send_all(const Fd& to, std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = ::send(to.get(), text.data(), text.size(), MSG_NOSIGNAL);
    if (n <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

// False: the connection has ended, or the test.
bool receive_more(const std::stop_token& stop, const Fd& from, std::string& text) {
  char buffer[65536];
  while (!stop.stop_requested()) {
    pollfd entry{from.get(), POLLIN, 0};
    if (::poll(&entry, 1, kPollMs) <= 0) continue;
    const ssize_t n = ::recv(from.get(), buffer, sizeof buffer, 0);
    if (n > 0) text.append(buffer, static_cast<std::size_t>(n));
    return n > 0;
  }
  return false;
}

std::size_t content_length(const std::string& head) {
  for (std::size_t at = 0; (at = head.find("\r\n", at)) != std::string::npos;) {
    at += 2;
    constexpr std::string_view kName = "content-length:";
    if (::strncasecmp(head.c_str() + at, kName.data(), kName.size()) == 0)
      return std::stoull(head.substr(at + kName.size()));
  }
  return 0;
}

std::string without_length(std::string answer) {
  const std::size_t end = answer.find("\r\n\r\n");
  std::size_t at = answer.find("Content-Length:");
  if (at == std::string::npos || at > end) at = answer.find("content-length:");
  if (at < end) answer.erase(at, answer.find("\r\n", at) + 2 - at);
  return answer;
}

struct Message {
  std::string head, body;
};

std::string damaged(std::string answer, Fault fault) {
  const std::size_t body = answer.find("\r\n\r\n") + 4;
  if (fault == Fault::half_head) answer.resize(body / 2);
  if (fault == Fault::half_answer || fault == Fault::half_answer_no_length)
    answer.resize(body + (answer.size() - body) / 2);
  if (fault == Fault::half_answer_no_length) answer = without_length(std::move(answer));
  return answer;
}

// The whole answer; the server is told to end the connection after it.
std::string ask(const std::stop_token& stop, std::uint16_t port, const Message& request) {
  Fd server(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_in address = loopback(port);
  if (::connect(server.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return {};
  const std::string head =
      request.head.substr(0, request.head.size() - 2) + "Connection: close\r\n\r\n";
  std::string answer;
  if (!send_all(server, head) || !send_all(server, request.body)) return {};
  while (receive_more(stop, server, answer)) {
  }
  return answer;
}

}  // namespace

std::string http_answer(int status, const std::string& body, const std::string& headers) {
  return "HTTP/1.1 " + std::to_string(status) + " Told\r\n" + headers +
         "Content-Length: " + std::to_string(body.size()) + "\r\nConnection: close\r\n\r\n" + body;
}

std::string s3_error(int status, const std::string& code, const std::string& more) {
  return http_answer(status, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>" + code +
                                 "</Code><Message>as told</Message>" + more + "</Error>");
}

HttpProxy::HttpProxy(std::uint16_t server_port)
    : server_port_(server_port), listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof address;
  if (::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), size) != 0 ||
      ::listen(listener_.get(), 64) != 0 ||
      ::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0)
    throw std::runtime_error("the proxy cannot listen");
  port_ = ntohs(address.sin_port);
  acceptor_ = std::jthread([this](const std::stop_token& stop) { accept_all(stop); });
}

void HttpProxy::plan(FaultPlan plan) {
  const std::lock_guard lock(mutex_);
  plans_.push_back(std::move(plan));
}

void HttpProxy::forget_plans() {
  const std::lock_guard lock(mutex_);
  plans_.clear();
}

std::size_t HttpProxy::left() {
  const std::lock_guard lock(mutex_);
  return plans_.size();
}

std::vector<std::string> HttpProxy::requests() {
  const std::lock_guard lock(mutex_);
  return requests_;
}

std::size_t HttpProxy::requests_with(const std::string& text) {
  const auto all = requests();
  return static_cast<std::size_t>(std::ranges::count_if(
      all, [&](const std::string& line) { return line.find(text) != std::string::npos; }));
}

std::string HttpProxy::heads() {
  const std::lock_guard lock(mutex_);
  return heads_;
}

void HttpProxy::accept_all(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    pollfd entry{listener_.get(), POLLIN, 0};
    if (::poll(&entry, 1, kPollMs) <= 0) continue;
    Fd client(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!client) continue;
    connections_.emplace_back([this, fd = std::move(client)](const std::stop_token& end) mutable {
      serve(end, std::move(fd));
    });
  }
  connections_.clear();
}

FaultPlan HttpProxy::next_fault(const std::string& head) {
  const std::lock_guard lock(mutex_);
  heads_ += head;
  requests_.push_back(head.substr(0, head.find("\r\n")));
  for (auto it = plans_.begin(); it != plans_.end(); ++it) {
    if (head.find(it->matching) == std::string::npos) continue;
    if (it->after-- > 0) return {};
    FaultPlan plan = *it;
    if (--it->times <= 0) plans_.erase(it);
    return plan;
  }
  return {};
}

void HttpProxy::serve(const std::stop_token& stop, Fd client) {
  Message request;
  std::string& text = request.head;
  std::size_t end = 0;
  while ((end = text.find("\r\n\r\n")) == std::string::npos) {
    if (!receive_more(stop, client, text)) return;
  }
  request.body = text.substr(end + 4);
  text.resize(end + 4);
  const FaultPlan plan = next_fault(request.head);
  if (plan.fault == Fault::drop_request) return;
  while (request.body.size() < content_length(request.head)) {
    if (!receive_more(stop, client, request.body)) return;
  }
  const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(plan.delay_ms);
  while (!stop.stop_requested() && std::chrono::steady_clock::now() < until)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  if (plan.fault == Fault::answer) {
    send_all(client, plan.text);
    return;
  }
  if (plan.fault == Fault::half_request) {
    Fd server(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const sockaddr_in address = loopback(server_port_);
    if (::connect(server.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
      send_all(server, request.head);
      send_all(server, std::string_view(request.body).substr(0, request.body.size() / 2));
    }
    return;
  }
  std::string ignored;
  if (plan.fault == Fault::hang) {
    receive_more(stop, client, ignored);
    return;
  }
  const std::string answer = ask(stop, server_port_, request);
  if (answer.empty() || plan.fault == Fault::drop_answer) return;
  send_all(client, damaged(answer, plan.fault));
}

}  // namespace tusk::test
