// A real S3 server on the loopback, started when it is first asked for and gone with the test
// program however that ends.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "support/mount.h"
#include "support/process.h"

namespace tusk::test {

inline constexpr const char* kS3Key = "S3RVER";
inline constexpr const char* kS3Secret = "S3RVER";

class S3Server {
 public:
  // Throws when there is no s3rver: scripts/test.sh puts one into .cache.
  S3Server();

  std::uint16_t port() const { return port_; }
  std::string endpoint() const { return "http://127.0.0.1:" + std::to_string(port_); }
  // Of a bucket that exists.
  std::string location() const { return "s3://tusk/some/prefix"; }

 private:
  TempFolder temp_;
  std::uint16_t port_ = 0;
  std::optional<Child> server_;
};

// One for all tests of the program; the environment names it.
S3Server& shared_s3_server();

}  // namespace tusk::test
