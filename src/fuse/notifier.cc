#include "fuse/notifier.h"

#include <pthread.h>

namespace tusk::fuse {

Notifier::Notifier(fuse_session* session)
    : session_(session), thread_([this](const std::stop_token& stop) {
        run(stop);
        finished_.store(true, std::memory_order_release);
      }) {
  ::pthread_setname_np(thread_.native_handle(), "tusk-notify");
}

void Notifier::stop() { thread_.request_stop(); }

void Notifier::drop_entry(Ino parent, std::string_view name) {
  std::lock_guard lock(mutex_);
  if (queue_.size() >= kMostQueued) return;
  queue_.emplace_back(parent, std::string(name));
  wake_.notify_one();
}

void Notifier::run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    std::unique_lock lock(mutex_);
    if (!wake_.wait(lock, stop, [this] { return !queue_.empty(); })) return;
    const auto [parent, name] = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    // An entry that the kernel does not hold (any more) is no error.
    fuse_lowlevel_notify_inval_entry(session_, static_cast<fuse_ino_t>(parent), name.data(),
                                     name.size());
  }
}

}  // namespace tusk::fuse
