// The one thread that tells the kernel to forget. A notification may block until the core thread
// has answered a request, so no other thread may send one (libfuse's fuse_lowlevel.h says the
// same), and the core thread must go on answering until finished().
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

#include "fuse/lowlevel.h"
#include "tuskfs/vfs/vfs.h"

namespace tusk::fuse {

class Notifier final : public vfs::KernelCache {
 public:
  explicit Notifier(fuse_session* session);
  ~Notifier() override { stop(); }

  void drop_entry(Ino parent, std::string_view name) override;

  void stop();
  bool finished() const { return finished_.load(std::memory_order_acquire); }

 private:
  // Requests beyond this are dropped: whoever asked will ask again.
  static constexpr std::size_t kMostQueued = 4096;

  void run(const std::stop_token& stop);

  fuse_session* session_;
  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::deque<std::pair<Ino, std::string>> queue_;  // guarded by mutex_
  std::atomic<bool> finished_ = false;
  std::jthread thread_;
};

}  // namespace tusk::fuse
