// A real mount by the real binary, with everything it needs in a temporary folder; taken away again
// at the end of the test however that ends.
#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "support/process.h"

namespace tusk::test {

// A folder under $TMPDIR that others may pass through (the server runs as its own user).
class TempFolder {
 public:
  explicit TempFolder(std::optional<User> owner = {});
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  ~TempFolder();
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

struct MountSetup {
  std::vector<std::string> args = {};  // further arguments of `tuskfs mount`
  std::string database = {};           // empty: an embedded cluster of the mount's own
  std::optional<User> user = {};       // who mounts; empty: we
  std::map<std::string, std::string> env = {};
  std::filesystem::path data_dir = {};  // empty: in the mount's temporary folder
};

// Stops the server whose data are under `data_dir` (the embedded cluster), if it runs.
void stop_embedded(const std::filesystem::path& data_dir);
// Whether the kernel has a mount there; does not ask the filesystem.
bool is_mounted(const std::filesystem::path& path);

class Mount {
 public:
  // Mounted when it returns. Throws with what the driver said when it cannot be.
  explicit Mount(MountSetup setup = {});
  Mount(const Mount&) = delete;
  Mount& operator=(const Mount&) = delete;
  ~Mount();

  const std::filesystem::path& path() const { return mountpoint_; }
  const std::filesystem::path& data_dir() const { return data_dir_; }
  const std::filesystem::path& folder() const { return temp_.path(); }  // for the test's own files
  // Of the database, for psql and libpq. Starts an embedded cluster that is down.
  std::string dsn() const;
  // The log of all its drivers so far.
  std::string log() const;
  pid_t driver() const { return driver_ ? driver_->pid() : -1; }

  // Unmounts as umount(8) and waits for the driver's end: its exit status and words.
  Finished unmount();
  void mount();
  void mount(const std::vector<std::string>& args);  // in place of setup.args
  void remount() {
    unmount();
    mount();
  }
  // Kills the driver at once, and takes the dead mount away.
  void kill9();
  // Signals the driver and waits for its end (SIGTERM, SIGINT …).
  Finished stop_by(int signal);

 private:
  void await_mounted();
  void detach() const;
  Finished finish(std::chrono::milliseconds timeout);

  MountSetup setup_;
  TempFolder temp_;
  std::filesystem::path mountpoint_, data_dir_;
  std::optional<Child> driver_;
};

}  // namespace tusk::test
