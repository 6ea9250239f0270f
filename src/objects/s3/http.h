// One HTTP request and its answer, over connections that are kept.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <vector>

#include "tuskfs/base/bytes.h"
#include "tuskfs/base/result.h"

namespace tusk::objects {

// What is sent: bytes in memory, or a range of a file. Both stay with the caller.
struct Payload {
  ByteSpan bytes;
  int fd = -1;
  std::uint64_t offset = 0;
  std::uint64_t size = 0;  // of the range of the file

  std::uint64_t length() const { return fd < 0 ? bytes.size() : size; }
  Result<std::size_t> read(std::uint64_t at, std::span<std::uint8_t> into) const;
};

struct HttpRequest {
  std::string method;
  std::string url;
  std::vector<std::string> headers;  // "name: value"
  Payload payload;
  std::stop_token stop;  // ECANCELED soon after it is asked
};

struct HttpResponse {
  long status = 0;
  std::map<std::string, std::string> headers;  // names in lower case
  Buffer body;

  std::string header(const std::string& name) const;
};

struct HttpTimes {
  std::chrono::milliseconds connect = std::chrono::seconds(10);
  // Without a byte in either direction.
  std::chrono::seconds stall{30};
};

// Any thread. ETIMEDOUT: no whole answer came, and the same request may be sent again. Never
// answers with less than the body that was announced.
class Http {
 public:
  explicit Http(HttpTimes times);
  ~Http();
  Http(const Http&) = delete;
  Http& operator=(const Http&) = delete;

  Result<HttpResponse> perform(const HttpRequest&);

 private:
  struct Handle;
  std::unique_ptr<Handle> borrow();
  void give_back(std::unique_ptr<Handle>);

  const HttpTimes times_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Handle>> idle_;
};

}  // namespace tusk::objects
