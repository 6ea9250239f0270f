// A queue of jobs and the threads that work on it.
#pragma once

#include <condition_variable>
#include <deque>
#include <exception>
#include <functional>
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

  // `make` is called on the new thread.
  void start(const std::string& name, std::function<std::unique_ptr<Context>()> make) {
    threads_.emplace_back([this, make = std::move(make)] {
      const auto context = make();
      while (auto job = take()) job(*context);
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
  Job take() {
    std::unique_lock lock(mutex_);
    ready_.wait(lock, [this] { return closed_ || !jobs_.empty(); });
    if (closed_) return {};
    Job job = std::move(jobs_.front());
    jobs_.pop_front();
    return job;
  }

  const std::size_t limit_;
  std::mutex mutex_;
  std::condition_variable ready_;
  std::deque<Job> jobs_;  // guarded by mutex_
  bool closed_ = false;   // guarded by mutex_
  std::vector<std::jthread> threads_;
};

}  // namespace tusk::store
