// The private cluster under a data folder: made, started, shared and stopped without being asked.
#pragma once

#include <memory>
#include <string>

#include "tuskfs/base/result.h"

namespace tusk::store {

// $TUSKFS_DATA, else $XDG_DATA_HOME/tuskfs, else ~/.local/share/tuskfs.
std::string default_data_dir();

// A claim on the cluster: while one process holds one, the cluster runs; when the last claim is
// given back it is stopped. Processes that die lose theirs (a lock on a file in the folder).
class EmbeddedCluster {
 public:
  // Makes the cluster if the folder is empty (initdb with data checksums, Unix socket in the
  // folder, no TCP), starts it if it is down, recovers it after a crash. As root the server runs as
  // the postgres user.
  static Result<std::unique_ptr<EmbeddedCluster>> claim(const std::string& data_dir);

  virtual ~EmbeddedCluster() = default;  // gives the claim back
  virtual const std::string& conninfo() const = 0;
  // Starts the server again if it is down; any thread.
  virtual Result<void> ensure_running() = 0;
  // The folder whose disk holds the data, for statfs.
  virtual const std::string& data_dir() const = 0;
  // Leaves the server running when the claim is given back (`tuskfs dsn`).
  virtual void leave_running() = 0;
};

}  // namespace tusk::store
