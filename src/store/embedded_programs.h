// PostgreSQL's own programs: where they are, and how they are run.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "tuskfs/base/result.h"

namespace tusk::store::embedded {

// Who the server runs as. PostgreSQL refuses to run as root.
struct Identity {
  uid_t uid = 0;
  gid_t gid = 0;
  bool switches = false;  // ours to take on: we are root
};

struct Finished {
  int status = -1;     // exit status; 128 + signal
  std::string output;  // of both streams
};

// What the program finds open as kFolderFd: a folder that it is to reach whatever the permissions
// of the folders above (root's home is closed to the server's user).
inline constexpr int kFolderFd = 90;

struct Command {
  std::vector<std::string> args;  // args[0] with its path; no shell takes part
  Identity identity;
  int folder_fd = -1;
  std::vector<std::string> environment = {};  // NAME=value, beside a clean one
  bool dies_with_us = false;                  // SIGTERM at the end of the calling thread
};
// In "/", with a clean environment and default signals. Any thread.
Result<Finished> run(const Command& command);

struct Programs {
  std::string folder;
  int major = 0;
  std::string path(const char* program) const { return folder + "/" + program; }
};
// `major`: the one an existing cluster needs; 0: the newest there is.
Result<Programs> find_programs(int major);
// The newest folder with pg_dump and pg_restore.
Result<Programs> find_dump_programs();

}  // namespace tusk::store::embedded
