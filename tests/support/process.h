// Programs run by tests: captured, bounded in time, and gone when the test is.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tuskfs/base/fd.h"

namespace tusk::test {

struct User {
  uid_t uid = 0;
  gid_t gid = 0;
};
// An ordinary user for tests that run as root: "nobody".
User ordinary_user();

struct Spawn {
  std::map<std::string, std::string> env =
      {};                  // added to ours; an empty value removes the variable
  std::string input = {};  // read from stdin; empty: /dev/null
  std::string cwd = {};
  std::optional<User> user = {};
  std::chrono::milliseconds timeout = std::chrono::seconds(120);
  int death_signal = 9;  // sent to the child when the test program dies
};

struct Finished {
  int status = -1;  // exit status, or 128 + the signal's number
  bool timed_out = false;
  std::string out, err;
  bool ok() const { return status == 0; }
};

class Child {
 public:
  // args[0] is looked up in PATH. Throws std::system_error when there is no process to be had.
  explicit Child(const std::vector<std::string>& args, const Spawn& = {});
  Child(Child&&) noexcept;
  Child& operator=(Child&&) = delete;
  ~Child();  // kills what still runs

  pid_t pid() const { return pid_; }
  bool running();
  void signal(int number) const;
  // Waits, then kills. Output so far is kept.
  Finished wait(std::chrono::milliseconds timeout);
  std::string out_so_far() const;
  std::string err_so_far() const;

 private:
  bool reaped(bool block);

  pid_t pid_ = -1;
  std::optional<int> raw_status_;
  Fd out_, err_;
};

Finished run(const std::vector<std::string>& args, const Spawn& = {});
// As run(), but anything other than exit status 0 throws with what the program said.
std::string run_ok(const std::vector<std::string>& args, const Spawn& = {});

// Runs `body` in a child with the identity of `user`; what it returns is the exit status.
int as_user(User user, const std::function<int()>& body);

// Polls `condition` until it holds.
bool eventually(const std::function<bool()>& condition,
                std::chrono::milliseconds timeout = std::chrono::seconds(30));

}  // namespace tusk::test
