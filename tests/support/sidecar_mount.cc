#include "support/sidecar_mount.h"

#include <signal.h>
#include <sys/mount.h>

#include <sstream>
#include <stdexcept>

#include "support/fs_calls.h"
#include "support/sweeper.h"

namespace tusk::test {

SidecarMount::SidecarMount(const std::string& database, const std::vector<std::string>& further)
    : mountpoint_(temp_.path() / "mnt") {
  std::filesystem::create_directory(mountpoint_);
  std::vector<std::string> args = {TUSKFS_BINARY, "sidecar", "-f", "--log-file",
                                   temp_.path() / "log"};
  if (!database.empty()) args.push_back(database);
  args.push_back(mountpoint_);
  args.insert(args.end(), further.begin(), further.end());
  Spawn spawn;
  spawn.death_signal = SIGTERM;  // the driver then unmounts by itself
  driver_.emplace(args, spawn);
  Sweeper::of_this_program().add_driver(driver_->pid());
  eventually([this] { return is_mounted(mountpoint_) || !driver_->running(); },
             std::chrono::seconds(120));
  if (driver_->running() && is_mounted(mountpoint_)) return;
  detach();
  throw std::runtime_error("no sidecar: " + driver_->wait(std::chrono::seconds(10)).err);
}

SidecarMount::~SidecarMount() {
  detach();
  driver_->wait(std::chrono::seconds(120));
}

void SidecarMount::detach() const {
  if (::umount2(mountpoint_.c_str(), MNT_DETACH) == 0 || !is_mounted(mountpoint_)) return;
  run({"fusermount3", "-uz", mountpoint_});
}

nlohmann::json open_alert(const SidecarMount& mount, const std::string& name) {
  const auto all = nlohmann::json::parse(get(mount.stats("alerts.json")));
  for (const auto& row : all.at("rows"))
    if (row.at("name") == name) return row;
  return nullptr;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::istringstream stream(text);
  std::vector<std::string> lines;
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

bool holds(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace tusk::test
