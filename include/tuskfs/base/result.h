// Values for what can happen to a correct program.
#pragma once

#include <expected>
#include <string>
#include <utility>

namespace tusk {

// `code` is the errno the caller of a system call will see; it is chosen once, where the knowledge
// is, and passed on unchanged. `what` says what failed, in lower case; `hint` what a person can do.
struct Error {
  int code = 0;
  std::string what;
  std::string hint;
};

template <class T>
using Result = std::expected<T, Error>;

inline std::unexpected<Error> fail(int code, std::string what, std::string hint = {}) {
  return std::unexpected(Error{code, std::move(what), std::move(hint)});
}

}  // namespace tusk

// The only macro that returns: hands an error on, else yields the value.
#define TUSK_TRY_CONCAT_(a, b) a##b
#define TUSK_TRY_CONCAT(a, b) TUSK_TRY_CONCAT_(a, b)
#define TRY_ASSIGN(target, expression)                                          \
  auto TUSK_TRY_CONCAT(try_, __LINE__) = (expression);                          \
  if (!TUSK_TRY_CONCAT(try_, __LINE__))                                         \
    return std::unexpected(std::move(TUSK_TRY_CONCAT(try_, __LINE__)).error()); \
  target = std::move(*TUSK_TRY_CONCAT(try_, __LINE__))
#define TRY(expression)                                      \
  do {                                                       \
    if (auto try_result = (expression); !try_result)         \
      return std::unexpected(std::move(try_result).error()); \
  } while (false)
