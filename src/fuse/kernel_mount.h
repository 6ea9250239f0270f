// The mount itself: made with an error that a person can act on, and taken away while the driver
// still answers.
#pragma once

#include <atomic>
#include <string>
#include <thread>

#include "fuse/lowlevel.h"
#include "tuskfs/base/result.h"
#include "tuskfs/fuse/session.h"

namespace tusk::fuse {

// What libfuse reported last, without "fuse: "; it goes to the log at level debug as well.
void collect_libfuse_messages();
std::string last_libfuse_message();

// Absolute path of a folder that can be mounted on, or what is wrong with it.
Result<std::string> usable_mountpoint(const std::string& path);

Result<void> mount_session(fuse_session* session, const std::string& mountpoint,
                           const MountOptions& options);

// The kernel reads ahead 128 KiB unless told otherwise, and only root may tell it: large sequential
// reads then come as requests of the largest size. Without the right nothing happens.
void raise_readahead(const std::string& mountpoint);

// Takes the mount away from a thread of its own, as the kernel writes back what programs changed
// through mmap(2) first, and those writes are requests to this process.
class Unmounting {
 public:
  explicit Unmounting(std::string mountpoint);
  bool done() const { return done_.load(std::memory_order_acquire); }

 private:
  void run() const;

  std::string mountpoint_;
  std::atomic<bool> done_ = false;
  std::jthread thread_;
};

}  // namespace tusk::fuse
