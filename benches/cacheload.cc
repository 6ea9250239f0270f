// One client of a cache, as scripts/bench.sh compares them: files of a mount's cache/, or a Redis
// server on a Unix socket. Prints how many operations it did and the seconds they took.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace {

constexpr int kKeys = 100;
const std::string kValue(200, 'v');

std::string key(int i) { return fmt::format("bench:{}", i % kKeys); }

void check(bool good, const char* what) {
  if (!good) throw std::runtime_error(std::string(what) + ": " + std::strerror(errno));
}

class Mount {
 public:
  explicit Mount(std::string folder) : folder_(std::move(folder)) {}
  void set(int i) {
    const int fd = ::open((folder_ + "/" + key(i)).c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
    check(fd >= 0, "open");
    check(::write(fd, kValue.data(), kValue.size()) == static_cast<ssize_t>(kValue.size()),
          "write");
    check(::close(fd) == 0, "close");
  }
  void get(int i) {
    char bytes[4096];
    const int fd = ::open((folder_ + "/" + key(i)).c_str(), O_RDONLY);
    check(fd >= 0, "open");
    check(::read(fd, bytes, sizeof bytes) == static_cast<ssize_t>(kValue.size()), "read");
    ::close(fd);
  }

 private:
  const std::string folder_;
};

class Redis {
 public:
  explicit Redis(const std::string& path) : fd_(::socket(AF_UNIX, SOCK_STREAM, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    check(::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0,
          "connect");
  }
  ~Redis() { ::close(fd_); }
  void set(int i) {
    const std::string k = key(i);
    ask(fmt::format("*5\r\n$3\r\nSET\r\n${}\r\n{}\r\n${}\r\n{}\r\n$2\r\nEX\r\n$4\r\n3600\r\n",
                    k.size(), k, kValue.size(), kValue),
        5);
  }
  void get(int i) {
    const std::string k = key(i);
    ask(fmt::format("*2\r\n$3\r\nGET\r\n${}\r\n{}\r\n", k.size(), k), kValue.size() + 8);
  }

 private:
  void ask(const std::string& request, std::size_t answer) {
    check(::write(fd_, request.data(), request.size()) == static_cast<ssize_t>(request.size()),
          "write");
    char bytes[4096];
    for (std::size_t got = 0; got < answer;) {
      const ssize_t more = ::read(fd_, bytes, sizeof bytes);
      check(more > 0 && bytes[0] != '-', "read");
      got += static_cast<std::size_t>(more);
    }
  }
  const int fd_;
};

template <class Cache>
void run(Cache&& cache, std::string_view what, int count) {
  for (int i = 0; i < kKeys; i++) cache.set(i);
  for (int i = 0; i < kKeys; i++) cache.get(i);
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < count; i++) what == "get" ? cache.get(i) : cache.set(i);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  fmt::print("{} {:.6f}\n", count, took.count());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) {
    fmt::print(stderr, "usage: cacheload mount|redis get|set FOLDER|SOCKET COUNT\n");
    return 2;
  }
  try {
    const int count = std::atoi(argv[4]);
    if (std::string_view(argv[1]) == "mount")
      run(Mount(argv[3]), argv[2], count);
    else
      run(Redis(argv[3]), argv[2], count);
  } catch (const std::exception& e) {
    fmt::print(stderr, "cacheload: {}\n", e.what());
    return 1;
  }
}
