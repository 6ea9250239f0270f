// A queue of jobs and the threads that work on it.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "tuskfs/base/result.h"

namespace tusk::store {

// Jobs are run in order by the threads started; Context is what each thread has for itself.
template <class Context>
class WorkQueue {
 public:
  using Job = std::move_only_function<void(Context&)>;

  explicit WorkQueue(std::size_t limit) : limit_(limit) {}
  ~WorkQueue() { close(); }

  // `make` is called on the new thread, `idle` when no job came for a while after the last one, and
  // again as long as it answers true; it may be empty.
  void start(const std::string& name, std::function<std::unique_ptr<Context>()> make,
             std::function<bool()> idle = {}) {
    threads_.emplace_back([this, make = std::move(make), idle = std::move(idle)] {
      const auto context = make();
      bool has_more = false;
      while (true) {
        Job job = take(has_more);
        if (job) {
          job(*context);
          has_more = static_cast<bool>(idle);
        } else if (closed()) {
          return;
        } else {
          has_more = idle();
        }
      }
    });
    pthread_setname_np(threads_.back().native_handle(), name.c_str());
  }

  // False when the queue is full.
  bool push(Job job) {
    {
      std::lock_guard lock(mutex_);
      if (jobs_.size() >= limit_) return false;
      jobs_.push_back(std::move(job));
    }
    ready_.notify_one();
    return true;
  }

  // Waits for the jobs in hand; those that wait are dropped.
  void close() {
    std::deque<Job> dropped;
    {
      std::lock_guard lock(mutex_);
      closed_ = true;
      dropped.swap(jobs_);
    }
    ready_.notify_all();
    threads_.clear();
  }

 private:
  bool closed() {
    std::lock_guard lock(mutex_);
    return closed_;
  }

  // No job when the queue is closed or, with `briefly`, when none came for a while.
  Job take(bool briefly) {
    std::unique_lock lock(mutex_);
    const auto ready = [this] { return closed_ || !jobs_.empty(); };
    if (briefly) {
      ready_.wait_for(lock, kIdle, ready);
    } else {
      ready_.wait(lock, ready);
    }
    if (closed_ || jobs_.empty()) return {};
    Job job = std::move(jobs_.front());
    jobs_.pop_front();
    return job;
  }

  static constexpr auto kIdle = std::chrono::milliseconds(500);

  const std::size_t limit_;
  std::mutex mutex_;
  std::condition_variable ready_;
  std::deque<Job> jobs_;  // guarded by mutex_
  bool closed_ = false;   // guarded by mutex_
  std::vector<std::jthread> threads_;
};

}  // namespace tusk::store
