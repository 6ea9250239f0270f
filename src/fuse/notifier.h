// The one thread that tells the kernel to forget. A notification may block until the core thread
// has answered a request, so no other thread may send one (libfuse's fuse_lowlevel.h says the
// same), and the core thread must go on answering until finished().
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "fuse/lowlevel.h"
#include "tuskfs/vfs/vfs.h"

namespace tusk::fuse {

class Notifier final : public vfs::KernelCache {
 public:
  explicit Notifier(fuse_session* session);
  ~Notifier() override { stop(); }

  void drop_entry(Ino parent, std::string_view name) override;
  void drop_inode(Ino ino) override;
  void after_drops(std::move_only_function<void()> call) override;
  bool is_behind() const override;

  void stop();
  bool finished() const { return finished_.load(std::memory_order_acquire); }

 private:
  static constexpr std::size_t kMany = 4096;

  struct Notice {
    Ino ino{};
    std::optional<std::string> name;       // of an entry in it; absent: the inode itself
    std::move_only_function<void()> call;  // instead, unless empty
  };

  void queue(Notice notice);
  void run(const std::stop_token& stop);

  fuse_session* session_;
  mutable std::mutex mutex_;
  std::condition_variable_any wake_;
  std::deque<Notice> queue_;  // guarded by mutex_
  std::atomic<bool> finished_ = false;
  std::jthread thread_;
};

}  // namespace tusk::fuse
