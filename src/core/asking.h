// Questions to the store outlive a lost connection: they are asked again until they are answered.
#pragma once

#include <cerrno>
#include <utility>

#include "core/core.h"
#include "tuskfs/base/result.h"

namespace tusk::core {

// True: there was no connection, and `again` will run in a while. Else the answer is the store's.
template <class T, class Fn>
bool asked_again(Core& core, const Result<T>& answer, Fn again) {
  if (answer || answer.error().code != ENOTCONN) return false;
  core.executor.after(core.options.retry_interval, std::move(again));
  return true;
}

}  // namespace tusk::core
