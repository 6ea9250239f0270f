// A FakeVfs mounted for real, served by a thread of this process.
#pragma once

#include <filesystem>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "support/fake_vfs.h"
#include "support/mount.h"
#include "tuskfs/fuse/session.h"

namespace tusk::test {

struct FakeMountSetup {
  bool wants_flush = false;
  std::vector<std::string> options = {};
};

class FakeMount {
 public:
  // Throws std::runtime_error with the error when it cannot be mounted.
  explicit FakeMount(const FakeMountSetup& setup = {});
  FakeMount(const FakeMount&) = delete;
  FakeMount& operator=(const FakeMount&) = delete;
  ~FakeMount();

  const std::filesystem::path& path() const { return mountpoint_; }
  fuse::Session& session() { return *session_; }
  // Unmounts as umount(8); what Session::run() returned.
  int unmount();
  // Waits for run() to end by itself.
  int join();

  // Runs `work` on the core thread, or here once that has ended.
  template <class Fn>
  auto on_core(Fn work) {
    using Value = decltype(work(vfs_));
    if (!thread_.joinable()) return work(vfs_);
    std::packaged_task<Value()> task([this, &work] { return work(vfs_); });
    auto result = task.get_future();
    reactor_->post([&task] { task(); });
    return result.get();
  }
  std::vector<std::string> take_calls() {
    return on_core([](FakeVfs& vfs) { return vfs.take_calls(); });
  }

 private:
  TempFolder temp_;
  std::filesystem::path mountpoint_;
  std::unique_ptr<Reactor> reactor_;
  FakeVfs vfs_;
  std::unique_ptr<fuse::Session> session_;
  int result_ = 0;
  std::thread thread_;
};

}  // namespace tusk::test
