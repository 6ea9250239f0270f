#include "support/pg_proxy.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstring>
#include <stdexcept>

namespace tusk::test {
namespace {

constexpr int kPollMs = 50;

sockaddr_un address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  return address;
}

bool readable(int fd) {
  pollfd entry{fd, POLLIN, 0};
  return ::poll(&entry, 1, 0) > 0;
}

bool has_next(int fd, std::string_view part) {
  char buffer[65536];
  const ssize_t got = ::recv(fd, buffer, sizeof buffer, MSG_PEEK);
  return got > 0 && std::string_view(buffer, static_cast<std::size_t>(got)).contains(part);
}

// False at the end of `from`.
bool pass(int from, int to) {
  char buffer[65536];
  const ssize_t got = ::recv(from, buffer, sizeof buffer, 0);
  if (got <= 0) return false;
  for (ssize_t done = 0; done < got;) {
    const ssize_t sent =
        ::send(to, buffer + done, static_cast<std::size_t>(got - done), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    done += sent;
  }
  return true;
}

}  // namespace

PgProxy::PgProxy(const std::string& server_socket)
    : server_socket_(server_socket), listener_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  const sockaddr_un address = address_of(folder() + "/.s.PGSQL.5432");
  if (::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(listener_.get(), 16) != 0) {
    throw std::runtime_error("the proxy cannot listen");
  }
  acceptor_ = std::jthread([this](const std::stop_token& stop) { accept_all(stop); });
}

void PgProxy::accept_all(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    pollfd entry{listener_.get(), POLLIN, 0};
    if (::poll(&entry, 1, kPollMs) <= 0) continue;
    Fd client(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!client) continue;
    connections_++;
    relays_.emplace_back([this, fd = std::move(client)](const std::stop_token& end) mutable {
      relay(end, std::move(fd));
    });
  }
  relays_.clear();
}

void PgProxy::relay(const std::stop_token& stop, Fd client) {
  Fd server(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_un address = address_of(server_socket_);
  if (::connect(server.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return;
  }
  bool cutting = false;
  while (!stop.stop_requested()) {
    pollfd entries[2] = {{client.get(), POLLIN, 0}, {server.get(), POLLIN, 0}};
    if (::poll(entries, 2, kPollMs) <= 0) continue;
    if (entries[0].revents != 0) {
      if (!cutting && losing_ && has_next(client.get(), part_)) cutting = losing_.exchange(false);
      if (!pass(client.get(), server.get())) return;
    }
    if (entries[1].revents != 0) {
      // The whole request has gone through once the server answers and the client is silent.
      if (cutting && !readable(client.get())) return;
      if (!cutting && !pass(server.get(), client.get())) return;
    }
  }
}

}  // namespace tusk::test
