// Questions to the database, and the verbs that wait for their answers.
#pragma once

#include <cerrno>
#include <functional>
#include <memory>
#include <unordered_map>
#include <utility>

#include "tuskfs/virtual/tree.h"

namespace tusk::virt {

template <class T>
using Question = std::function<void(store::Callback<Result<T>>)>;

// Asks again while the database is away, as long as its patience lasts.
class Asker {
 public:
  Asker(Executor& executor, const Setup& setup) : executor_(executor), setup_(setup) {}

  template <class T>
  void ask(Question<T> question, vfs::Reply<T> done) {
    attempt(std::make_shared<Asked<T>>(std::move(question), std::move(done),
                                       executor_.now() + setup_.patience));
  }
  // As ask(), once what has been published is committed.
  template <class T>
  void ask_committed(Question<T> question, vfs::Reply<T> done) {
    setup_.commit([this, question = std::move(question),
                   done = std::move(done)](vfs::Outcome<void> committed) mutable {
      if (!committed) return done(std::unexpected(committed.error()));
      ask<T>(std::move(question), std::move(done));
    });
  }

 private:
  static constexpr auto kPause = std::chrono::milliseconds(200);

  template <class T>
  struct Asked {
    Asked(Question<T> q, vfs::Reply<T> d, MonotonicTime until)
        : question(std::move(q)), done(std::move(d)), deadline(until) {}
    Question<T> question;
    vfs::Reply<T> done;
    MonotonicTime deadline;
  };

  template <class T>
  void attempt(std::shared_ptr<Asked<T>> asked) {
    asked->question([this, asked](Result<T> answer) {
      if (answer) {
        if constexpr (std::is_void_v<T>) {
          asked->done({});
        } else {
          asked->done(std::move(*answer));
        }
      } else if (answer.error().code != ENOTCONN) {
        asked->done(vfs::error(answer.error().code));
      } else if (executor_.now() < asked->deadline) {
        executor_.after(kPause, [this, asked] { attempt(asked); });
      } else {
        asked->done(vfs::error(EIO));
      }
    });
  }

  Executor& executor_;
  const Setup& setup_;
};

// Verbs that wait, by their tokens, so that they can be interrupted.
class Waiting {
 public:
  // A reply that is not passed on once the call was interrupted.
  template <class T>
  vfs::Reply<T> hold(const vfs::Call& call, vfs::Reply<T> reply) {
    auto held = std::make_shared<vfs::Reply<T>>(std::move(reply));
    interrupts_[call.token] = [held] { std::exchange(*held, nullptr)(vfs::error(EINTR)); };
    return [this, token = call.token, held](vfs::Outcome<T> outcome) {
      if (!*held) return;
      interrupts_.erase(token);
      std::exchange(*held, nullptr)(std::move(outcome));
    };
  }
  // Whether an answer would still reach somebody: only then are lookups and handles counted.
  bool waits(const vfs::Call& call) const { return interrupts_.contains(call.token); }

  void interrupt(std::uint64_t token) {
    const auto found = interrupts_.find(token);
    if (found == interrupts_.end()) return;
    const auto tell = std::move(found->second);
    interrupts_.erase(found);
    tell();
  }

 private:
  std::unordered_map<std::uint64_t, std::function<void()>> interrupts_;
};

}  // namespace tusk::virt
