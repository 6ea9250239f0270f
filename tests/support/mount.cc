#include "support/mount.h"

#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <system_error>

#include "support/sweeper.h"

namespace tusk::test {
namespace {

constexpr auto kReady = std::chrono::seconds(120);
constexpr auto kEnd = std::chrono::seconds(120);

std::string text_of(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

std::filesystem::path make_folder(const std::filesystem::path& path, std::optional<User> owner) {
  std::filesystem::create_directory(path);
  if (owner && ::chown(path.c_str(), owner->uid, owner->gid) != 0)
    throw std::system_error(errno, std::generic_category(), path);
  return path;
}

// What a mount makes of a new data folder before it has a tree: made once a program, as that takes
// longer than most tests. Its server is stopped in good order.
class EmbeddedTemplate {
 public:
  EmbeddedTemplate() {
    run_ok({TUSKFS_BINARY, "migrate", "up", "--data-dir", path()});
    std::ifstream file(path() / "cluster" / "postmaster.pid");
    pid_t pid = 0;
    if (!(file >> pid) || pid <= 1) return;
    ::kill(pid, SIGINT);
    if (!eventually([pid] { return ::kill(pid, 0) != 0; }, std::chrono::seconds(60)))
      throw std::runtime_error("the server of the template does not stop");
  }
  void copy_to(const std::filesystem::path& data_dir) const {
    run_ok({"cp", "-a", "--reflink=auto", path(), data_dir});
  }

 private:
  std::filesystem::path path() const { return temp_.path() / "data"; }

  TempFolder temp_;
};

// Of root's mounts: another user's belong to him.
void make_cluster(const std::filesystem::path& data_dir) {
  static const EmbeddedTemplate made;
  made.copy_to(data_dir);
}

}  // namespace

TempFolder::TempFolder(std::optional<User> owner) {
  const char* base = std::getenv("TMPDIR");
  std::string pattern = std::string(base == nullptr ? "/tmp" : base) + "/tusk-XXXXXX";
  if (::mkdtemp(pattern.data()) == nullptr)
    throw std::system_error(errno, std::generic_category(), pattern);
  path_ = pattern;
  Sweeper::of_this_program().add_folder(path_);
  if (::chmod(path_.c_str(), 0755) != 0)
    throw std::system_error(errno, std::generic_category(), pattern);
  if (owner && ::chown(path_.c_str(), owner->uid, owner->gid) != 0)
    throw std::system_error(errno, std::generic_category(), pattern);
}

TempFolder::~TempFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

void stop_embedded(const std::filesystem::path& data_dir) {
  std::ifstream file(data_dir / "cluster" / "postmaster.pid");
  pid_t pid = 0;
  if (!(file >> pid) || pid <= 1) return;
  ::kill(pid, SIGQUIT);  // at once: the data are thrown away
  if (eventually([pid] { return ::kill(pid, 0) != 0; }, std::chrono::seconds(10))) return;
  ::kill(pid, SIGKILL);
}

bool is_mounted(const std::filesystem::path& path) {
  std::ifstream file("/proc/self/mountinfo");
  for (std::string line; std::getline(file, line);) {
    std::istringstream fields(line);
    std::string id, parent, device, root, target;
    fields >> id >> parent >> device >> root >> target;
    if (target == path) return true;
  }
  return false;
}

Mount::Mount(MountSetup setup)
    : setup_(std::move(setup)),
      temp_(setup_.user),
      mountpoint_(make_folder(temp_.path() / "mnt", setup_.user)),
      data_dir_(setup_.data_dir.empty() ? temp_.path() / "data" : setup_.data_dir) {
  if (setup_.database.empty() && setup_.data_dir.empty() && !setup_.user && setup_.env.empty())
    make_cluster(data_dir_);
  try {
    mount();
  } catch (...) {
    detach();
    if (setup_.database.empty()) stop_embedded(data_dir_);
    throw;
  }
}

Mount::~Mount() {
  if (driver_) {
    detach();
    finish(kEnd);
  }
  if (setup_.database.empty() && setup_.data_dir.empty()) stop_embedded(data_dir_);
}

void Mount::mount() { mount(setup_.args); }

void Mount::mount(const std::vector<std::string>& further) {
  std::vector<std::string> args = {TUSKFS_BINARY, "mount", "-f"};
  if (setup_.database.empty()) {
    args.insert(args.end(), {"--data-dir", data_dir_});
  } else {
    args.push_back(setup_.database);
  }
  args.insert(args.end(), {mountpoint_, "--log-file", temp_.path() / "log"});
  args.insert(args.end(), further.begin(), further.end());
  Spawn spawn;
  spawn.user = setup_.user;
  spawn.env = setup_.env;
  spawn.death_signal = SIGTERM;  // the driver then unmounts by itself
  driver_.emplace(args, spawn);
  Sweeper::of_this_program().add_driver(driver_->pid());
  await_mounted();
}

void Mount::await_mounted() {
  const bool settled =
      eventually([this] { return is_mounted(mountpoint_) || !driver_->running(); }, kReady);
  if (settled && driver_->running()) return;
  const Finished finished = driver_->wait(std::chrono::milliseconds(0));
  driver_.reset();
  throw std::runtime_error("cannot mount (" + std::to_string(finished.status) +
                           "): " + finished.err + log());
}

std::string Mount::dsn() const {
  if (!setup_.database.empty()) return setup_.database;
  Spawn spawn;
  spawn.user = setup_.user;
  std::string text = run_ok({TUSKFS_BINARY, "dsn", "--data-dir", data_dir_}, spawn);
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

std::string Mount::log() const { return text_of(temp_.path() / "log"); }

void Mount::detach() const {
  if (::umount2(mountpoint_.c_str(), MNT_DETACH) == 0 || errno != EPERM) return;
  run({"fusermount3", "-uz", mountpoint_}, {.user = setup_.user});
}

Finished Mount::finish(std::chrono::milliseconds timeout) {
  if (!driver_) return {};
  Finished finished = driver_->wait(timeout);
  driver_.reset();
  if (is_mounted(mountpoint_)) detach();
  return finished;
}

Finished Mount::unmount() {
  if (::geteuid() == 0) {
    if (::umount2(mountpoint_.c_str(), 0) != 0)
      throw std::system_error(errno, std::generic_category(), "umount " + mountpoint_.string());
  } else {
    run_ok({"fusermount3", "-u", mountpoint_});
  }
  return finish(kEnd);
}

void Mount::kill9() {
  if (!driver_) return;
  driver_->signal(SIGKILL);
  finish(kEnd);
}

Finished Mount::stop_by(int signal) {
  if (driver_) driver_->signal(signal);
  return finish(kEnd);
}

}  // namespace tusk::test
