// A mount of its own whose past is looked at through .tusk.
#pragma once

#include <fcntl.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "support/fs_fixture.h"
#include "support/fs_sql.h"

namespace tusk::test {

class PastFixture : public OwnMountTest {
 protected:
  void SetUp() override {
    OwnMountTest::SetUp();
    if (IsSkipped()) return;
    mount_ = std::make_unique<Mount>();
    offline("update tusk.tenants set policy = '{\"version_interval\": 0}'");
  }
  void TearDown() override {
    if (mount_) expect_sound(*mount_, declared_);
  }
  // Statements on the unmounted tree.
  void offline(const std::string& statements) {
    mount_->unmount();
    Sql(mount_->dsn()).run(statements);
    mount_->mount();
  }
  Path at(const std::string& name) const { return mount_->path() / name; }
  Path past(const std::string& name) const { return mount_->path() / ".tusk" / name; }
  Path history(const std::string& name) const { return past("history/" + name); }
  // Everything done so far is stored: what comes and goes between two commits leaves no history.
  void settle() { ASSERT_EQ(::fsync(open_file(mount_->path(), O_RDONLY).get()), 0); }
  void put_synced(const std::string& name, const std::string& bytes) {
    put(at(name), bytes);
    settle();
  }
  // The contents of all versions of a file, oldest first.
  std::vector<std::string> contents(const std::string& name) {
    std::vector<std::string> all;
    for (const std::string& version : names_in(history(name)))
      all.push_back(get(history(name) / version));
    return all;
  }
  // A path of now; nothing else happens in its millisecond.
  Path now() const {
    ::usleep(2000);
    timespec t;
    ::clock_gettime(CLOCK_REALTIME, &t);
    std::tm parts{};
    ::gmtime_r(&t.tv_sec, &parts);
    char text[64];
    std::strftime(text, sizeof text, "at/%Y-%m-%dT%H:%M:%S", &parts);
    ::usleep(2000);
    return past(std::string(text) + "." + std::to_string(1'000'000'000 + t.tv_nsec).substr(1) +
                "Z");
  }
  // The one entry of the trash whose name starts so.
  Path trashed(const std::string& name) {
    for (const std::string& each : names_in(past("trash"))) {
      if (each.starts_with(name + "@")) return past("trash") / each;
    }
    return past("trash/none");
  }
  static std::string xattr(const Path& path, const std::string& name) {
    char value[1000];
    const ssize_t size = ::getxattr(path.c_str(), name.c_str(), value, sizeof value);
    return size < 0 ? "none" : std::string(value, static_cast<std::size_t>(size));
  }
  std::unique_ptr<Mount> mount_;
  std::vector<std::string> declared_;
};

}  // namespace tusk::test
