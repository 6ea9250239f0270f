// A sidecar over a database of the test's own, and its files of keyed trees as programs use them.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "support/fs_calls.h"
#include "support/fs_sql.h"
#include "support/sidecar_mount.h"
#include "support/store_backends.h"

namespace tusk::test {

class KeyedTest : public ::testing::Test {
 protected:
  void SetUp() override {
    database_ = new_database(true);
    mount_ = std::make_unique<SidecarMount>(database_);
    put(at("cache/warm"), "up");  // makes the schema
    remove(at("cache/warm"));
    sql_ = std::make_unique<Sql>(database_);
  }
  void TearDown() override {
    // Nothing of this is worth a warning.
    const std::string log = get(mount_->path().parent_path() / "log");
    for (const std::string& line : lines_of(log))
      EXPECT_TRUE(!holds(line, " error ") && !holds(line, " warning ")) << line;
  }

  Path at(const std::string& name) const { return mount_->path() / name; }
  std::string read(const std::string& name) const { return get(at(name)); }
  // The errno of opening, writing or closing: a write(2) of its own for each text.
  int write(const std::string& name, const std::vector<std::string_view>& texts,
            int flags = O_TRUNC) const {
    const int fd = ::open(at(name).c_str(), O_WRONLY | O_CLOEXEC | flags);
    if (fd < 0) return errno;
    int code = 0;
    for (const std::string_view text : texts)
      if (code == 0) code = errno_of(::write(fd, text.data(), text.size()));
    const int closed = errno_of(::close(fd));
    return code == 0 ? closed : code;
  }
  int write(const std::string& name, const char* text) const {
    return write(name, std::vector<std::string_view>{text});
  }
  int open_errno(const std::string& name, int flags = O_RDONLY) const {
    return errno_of_open(at(name), flags);
  }
  static int remove(const Path& path) { return errno_of(::unlink(path.c_str())); }
  int make(const std::string& name) const { return errno_of(::mkdir(at(name).c_str(), 0755)); }
  int remove_folder(const std::string& name) const { return errno_of(::rmdir(at(name).c_str())); }
  std::string sql(const std::string& query, const std::vector<std::string>& params = {}) {
    return sql_->value(query, params);
  }

  std::string database_;
  std::unique_ptr<SidecarMount> mount_;
  std::unique_ptr<Sql> sql_;
};

}  // namespace tusk::test
