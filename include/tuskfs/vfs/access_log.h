// Every request of a mount as it is answered, for whoever listens. On the core thread.
#pragma once

#include <sys/types.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tuskfs/base/times.h"

namespace tusk::vfs {

struct Access {
  WallTime at{};  // when it was taken up
  uid_t uid = 0;
  gid_t gid = 0;
  pid_t pid = 0;
  std::string_view operation;
  std::uint64_t ino = 0;  // of a verb on a name: the folder's
  std::string name;       // any bytes; empty: none
  int error = 0;
  std::chrono::nanoseconds took{};
};

class AccessListener {
 public:
  virtual ~AccessListener() = default;
  virtual void on_access(const Access&) = 0;
};

class AccessLog {
 public:
  // Nobody listens: nothing is to be noted.
  bool is_off() const { return listeners_.empty(); }
  void add(AccessListener* listener) { listeners_.push_back(listener); }
  void remove(AccessListener* listener) { std::erase(listeners_, listener); }
  void note(const Access& access) const {
    for (AccessListener* each : listeners_) each->on_access(access);
  }

 private:
  std::vector<AccessListener*> listeners_;
};

}  // namespace tusk::vfs
