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
  queue({parent, std::string(name), {}});
}

void Notifier::drop_inode(Ino ino) { queue({ino, std::nullopt, {}}); }

void Notifier::after_drops(std::move_only_function<void()> call) {
  queue({Ino{}, std::nullopt, std::move(call)});
}

bool Notifier::is_behind() const {
  const std::lock_guard lock(mutex_);
  return queue_.size() >= kMany;
}

void Notifier::queue(Notice notice) {
  const std::lock_guard lock(mutex_);
  queue_.push_back(std::move(notice));
  wake_.notify_one();
}

void Notifier::run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    std::unique_lock lock(mutex_);
    if (!wake_.wait(lock, stop, [this] { return !queue_.empty(); })) return;
    Notice notice = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    if (notice.call) {
      notice.call();
      continue;
    }
    // What the kernel does not hold (any more) is no error.
    const auto ino = static_cast<fuse_ino_t>(notice.ino);
    if (notice.name) {
      fuse_lowlevel_notify_inval_entry(session_, ino, notice.name->data(), notice.name->size());
    } else {
      fuse_lowlevel_notify_inval_inode(session_, ino, 0, 0);
    }
  }
}

}  // namespace tusk::fuse
