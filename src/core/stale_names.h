// Opens by a name that others have taken from the file.
//
// The kernel finds a file by a name that it remembers, and asks to open the file: of the name it
// says nothing, and it may have been told only now that the name is another's. Such an open is
// answered ESTALE; the kernel looks the name up anew, once, and what it finds then is opened.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <unordered_map>

#include "tuskfs/base/executor.h"
#include "tuskfs/vfs/vfs.h"

namespace tusk::core {

class StaleNames {
 public:
  explicit StaleNames(const Executor& executor) : executor_(executor) {}

  // Others took a name from a file that the kernel knows; it is told so in this round (Presence).
  void lost(Ino ino, std::uint64_t round);
  // The kernel has been told, up to this round.
  void told_kernel(std::uint64_t round);
  // It may be opened by that name still.
  bool is_doubtful(Ino ino) const;

  // An open was answered ESTALE.
  void told(const vfs::Call& call, Ino ino);
  // A lookup found this.
  void found(const vfs::Call& call, Ino ino);
  // What an open follows; told once.
  enum class Retry {
    no,
    looked_up,   // the lookup that its program was told to make has found the file
    by_no_name,  // nothing was looked up, as with /proc/PID/fd: the file is meant, however it is
                 // named
  };
  Retry retry_of(const vfs::Call& call, Ino ino);

 private:
  struct Lost {
    std::uint64_t round = 0;
    std::optional<MonotonicTime> told = {};
  };
  struct Told {
    MonotonicTime at{};
    Ino asked{};
    std::optional<Ino> found = {};
  };

  bool is_recent(MonotonicTime time) const;

  const Executor& executor_;
  std::unordered_map<Ino, Lost> lost_;
  std::unordered_map<pid_t, Told> told_;
};

}  // namespace tusk::core
