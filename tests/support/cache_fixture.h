// A mount of an empty tree on a server of its own, with what its cache/ shows and what SQL sees of
// it.
#pragma once

#include <fcntl.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "support/fs_fixture.h"
#include "support/fs_server.h"
#include "support/fs_sql.h"

namespace tusk::test {

class CacheFiles : public OwnMountTest {
 protected:
  void SetUp() override {
    OwnMountTest::SetUp();
    if (IsSkipped()) return;
    server_ = std::make_unique<Server>();
    MountSetup setup;
    setup.database = server_->conninfo();
    mount_ = std::make_unique<Mount>(setup);
    put(key("warm"), "up");  // makes the schema
    ::unlink(key("warm").c_str());
    sql_ = std::make_unique<Sql>(server_->conninfo());
  }
  void TearDown() override {
    if (mount_) expect_sound(*mount_, declared_);
  }
  Path key(const std::string& name) const { return mount_->path() / ".tusk/cache" / name; }
  std::vector<std::string> keys() const { return names_in(mount_->path() / ".tusk/cache"); }
  void set(const std::string& name, const std::string& json) {
    sql_->rows("select tusk_cache.set($1, $2::jsonb)", {name, json});
  }
  std::string stored(const std::string& name) {
    return sql_->value("select convert_from(tusk_cache.get_bytes($1), 'UTF8')", {name});
  }
  static std::string xattr(const Path& path, const std::string& name) {
    char value[100];
    const ssize_t size = ::getxattr(path.c_str(), name.c_str(), value, sizeof value);
    return size < 0 ? "none" : std::string(value, static_cast<std::size_t>(size));
  }
  static int set_xattr(const Path& path, const std::string& name, const std::string& value) {
    return errno_of(::setxattr(path.c_str(), name.c_str(), value.data(), value.size(), 0));
  }
  // What a file holds; "none" when there is none.
  static std::string content(const Path& path) {
    const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    return fd ? read_at(fd.get(), 0, 1 << 20) : "none";
  }
  // Once the file holds what it should, or after long enough.
  static std::string content_soon(const Path& path, const std::string& wanted) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    std::string seen = content(path);
    while (seen != wanted && std::chrono::steady_clock::now() < deadline) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
      seen = content(path);
    }
    return seen;
  }
  static int sync(const Path& path) { return errno_of(::fsync(open_file(path, O_WRONLY).get())); }

  std::unique_ptr<Server> server_;
  std::unique_ptr<Mount> mount_;
  std::unique_ptr<Sql> sql_;
  std::vector<std::string> declared_;
};

}  // namespace tusk::test
