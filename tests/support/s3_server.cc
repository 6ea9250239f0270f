#include "support/s3_server.h"

#include <cstdlib>
#include <stdexcept>

namespace tusk::test {
namespace {

std::string program() {
  const char* told = std::getenv("TUSKFS_S3RVER");
  const std::filesystem::path path = told != nullptr ? std::filesystem::path(told)
                                                     : std::filesystem::path(TUSKFS_SOURCE_DIR) /
                                                           ".cache/s3rver/node_modules/.bin/s3rver";
  if (!std::filesystem::exists(path))
    throw std::runtime_error("there is no " + path.string() + ": scripts/test.sh installs it");
  return path;
}

// "S3rver listening on 127.0.0.1:35697"
std::uint16_t port_in(const std::string& out) {
  const std::string words = "listening on 127.0.0.1:";
  const std::size_t at = out.find(words);
  if (at == std::string::npos || out.find('\n', at) == std::string::npos) return 0;
  return static_cast<std::uint16_t>(std::stoi(out.substr(at + words.size())));
}

}  // namespace

S3Server::S3Server() {
  server_.emplace(std::vector<std::string>{"node", program(), "-d", temp_.path(), "-a", "127.0.0.1",
                                           "-p", "0", "--configure-bucket", "tusk"});
  const bool up = eventually([this] {
    port_ = port_in(server_->out_so_far());
    return port_ != 0 || !server_->running();
  });
  if (!up || port_ == 0)
    throw std::runtime_error("s3rver does not start: " + server_->err_so_far());
}

S3Server& shared_s3_server() {
  static S3Server server;
  static const bool told = [] {
    ::setenv("AWS_ACCESS_KEY_ID", kS3Key, 1);
    ::setenv("AWS_SECRET_ACCESS_KEY", kS3Secret, 1);
    ::setenv("AWS_ENDPOINT_URL_S3", server.endpoint().c_str(), 1);
    ::setenv("no_proxy", "127.0.0.1", 1);
    for (const char* name : {"AWS_SESSION_TOKEN", "AWS_REGION", "AWS_DEFAULT_REGION"})
      ::unsetenv(name);
    return true;
  }();
  static_cast<void>(told);
  return server;
}

}  // namespace tusk::test
