#include "tuskfs/base/reactor.h"

#include <poll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace tusk {

Result<std::unique_ptr<Reactor>> Reactor::create() {
  Fd event(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  if (!event) return fail(errno, std::string("cannot make an eventfd: ") + std::strerror(errno));
  return std::unique_ptr<Reactor>(new Reactor(std::move(event)));
}

void Reactor::post(Task task) {
  bool first;
  {
    std::lock_guard lock(mutex_);
    first = queue_.empty();
    queue_.push_back(std::move(task));
    posted_.store(true, std::memory_order_release);
  }
  if (!first) return;
  const std::uint64_t one = 1;
  // Fails only when the counter is full, and then the event is set anyway.
  [[maybe_unused]] const auto written = ::write(event_.get(), &one, sizeof one);
}

void Reactor::after(std::chrono::nanoseconds delay, Task task) {
  timers_.push_back({now() + delay, timer_count_++, std::move(task)});
  std::push_heap(timers_.begin(), timers_.end(), later);
}

bool Reactor::later(const Timer& a, const Timer& b) {
  return a.due != b.due ? a.due > b.due : a.order > b.order;
}

MonotonicTime Reactor::now() const {
  timespec t;
  ::clock_gettime(CLOCK_MONOTONIC, &t);
  return std::chrono::seconds(t.tv_sec) + std::chrono::nanoseconds(t.tv_nsec);
}

WallTime Reactor::wall_now() const {
  timespec t;
  ::clock_gettime(CLOCK_REALTIME, &t);
  return {t.tv_sec * 1'000'000'000 + t.tv_nsec};
}

std::uint64_t Reactor::random() { return random_(); }

void Reactor::run_ready() {
  if (has_posted()) {
    std::vector<Task> tasks;
    {
      std::lock_guard lock(mutex_);
      tasks.swap(queue_);
      posted_.store(false, std::memory_order_release);
    }
    std::uint64_t count;
    [[maybe_unused]] const auto got = ::read(event_.get(), &count, sizeof count);
    for (Task& task : tasks) task();
  }
  if (timers_.empty()) return;
  const MonotonicTime until = now();
  while (!timers_.empty() && timers_.front().due <= until) {
    std::pop_heap(timers_.begin(), timers_.end(), later);
    Task task = std::move(timers_.back().task);
    timers_.pop_back();
    task();
  }
}

void Reactor::wait_and_run(std::chrono::nanoseconds at_most) {
  auto wait = at_most;
  if (const auto due = next_deadline()) wait = std::min(wait, *due - now());
  if (!has_posted() && wait.count() > 0) {
    pollfd event{event_.get(), POLLIN, 0};
    const auto ms = std::chrono::ceil<std::chrono::milliseconds>(wait).count();
    ::poll(&event, 1, static_cast<int>(ms));
  }
  run_ready();
}

std::optional<MonotonicTime> Reactor::next_deadline() const {
  if (timers_.empty()) return std::nullopt;
  return timers_.front().due;
}

}  // namespace tusk
