// Questions to the database, on threads with a connection each.
#pragma once

#include <cerrno>
#include <exception>
#include <functional>
#include <memory>

#include "loader.h"
#include "tuskfs/base/executor.h"
#include "tuskfs/base/log.h"
#include "tuskfs/store/store.h"
#include "worker.h"

namespace tusk::store {

class Loads {
 public:
  Loads(Executor& executor, ConnectionContext& context) : executor_(executor), context_(context) {}

  void start(int threads) {
    for (int i = 0; i < threads; i++)
      queue_.start("tusk-load", [this] { return std::make_unique<Loader>(context_); });
  }
  // Those that wait are answered no more.
  void close() { queue_.close(); }

  // The callback is shared with the job only because a job that is refused must still be answered.
  template <class T>
  void ask(std::move_only_function<Result<T>(Loader&)> call, Callback<Result<T>> callback) {
    auto answer = std::make_shared<Callback<Result<T>>>(std::move(callback));
    const bool queued = queue_.push([this, call = std::move(call), answer](Loader& loader) mutable {
      reply<Result<T>>(std::move(*answer), guarded<T>([&] { return call(loader); }));
    });
    if (!queued) reply<Result<T>>(std::move(*answer), fail(EAGAIN, "too many loads wait"));
  }

  template <class T>
  void reply(Callback<T> callback, T value) {
    executor_.post([callback = std::move(callback), value = std::move(value)]() mutable {
      callback(std::move(value));
    });
  }

 private:
  // The kernel bounds how many requests wait; this is for what it does not.
  static constexpr std::size_t kMostWaiting = 100'000;

  // What a library throws on a worker thread (out of memory, above all) is an error of that call.
  template <class T>
  static Result<T> guarded(std::move_only_function<Result<T>()> call) {
    try {
      return call();
    } catch (const std::exception& e) {
      log::error("cannot load: {}", e.what());
      return fail(ENOMEM, e.what());
    }
  }

  Executor& executor_;
  ConnectionContext& context_;
  WorkQueue<Loader> queue_{kMostWaiting};
};

}  // namespace tusk::store
