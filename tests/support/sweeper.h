// What a test program leaves behind when it is killed goes all the same: a process of its own
// (sweep.sh) waits for the program's end.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>

#include "tuskfs/base/fd.h"

namespace tusk::test {

class Sweeper {
 public:
  static Sweeper& of_this_program();

  void add_folder(const std::filesystem::path& folder) { tell("folder " + folder.string()); }
  void add_driver(pid_t pid) { tell("driver " + std::to_string(pid)); }

 private:
  Sweeper();
  void tell(const std::string& line) const;

  Fd to_sweeper_;  // its other end reads nothing more once this program is gone
};

}  // namespace tusk::test
