// A mount of `tuskfs sidecar` over a database of the test; gone when the test is, however it ends.
#pragma once

#include <nlohmann/json.hpp>

#include "support/mount.h"

namespace tusk::test {

class SidecarMount {
 public:
  // Mounted when it returns; `database` is empty where `further` names a data folder. Throws with
  // what the driver said when it cannot be.
  explicit SidecarMount(const std::string& database, const std::vector<std::string>& further = {});
  SidecarMount(const SidecarMount&) = delete;
  SidecarMount& operator=(const SidecarMount&) = delete;
  ~SidecarMount();

  const std::filesystem::path& path() const { return mountpoint_; }
  pid_t driver() const { return driver_->pid(); }
  std::filesystem::path stats(const std::string& name) const {
    return mountpoint_ / "stats" / name;
  }

 private:
  void detach() const;

  TempFolder temp_;
  std::filesystem::path mountpoint_;
  std::optional<Child> driver_;
};

// The row of an alert that is open; null: it is not.
nlohmann::json open_alert(const SidecarMount& mount, const std::string& name);

// Of what a file says.
std::vector<std::string> lines_of(const std::string& text);
bool holds(const std::string& text, const std::string& part);

}  // namespace tusk::test
