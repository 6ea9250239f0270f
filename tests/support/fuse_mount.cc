#include "support/fuse_mount.h"

#include <sys/mount.h>

#include <cerrno>
#include <stdexcept>
#include <system_error>

namespace tusk::test {

FakeMount::FakeMount(const FakeMountSetup& setup)
    : mountpoint_(temp_.path() / "mnt"), reactor_(*Reactor::create()), vfs_(setup.wants_flush) {
  std::filesystem::create_directory(mountpoint_);
  auto session = fuse::Session::mount(
      {.mountpoint = mountpoint_, .source = "fake,with\\odd name", .fuse_options = setup.options},
      *reactor_, vfs_);
  if (!session) throw std::runtime_error(session.error().what + "; " + session.error().hint);
  session_ = std::move(*session);
  thread_ = std::thread([this] { result_ = session_->run(); });
}

FakeMount::~FakeMount() {
  if (!thread_.joinable()) return;
  ::umount2(mountpoint_.c_str(), MNT_FORCE | MNT_DETACH);
  join();
}

int FakeMount::unmount() {
  if (::umount2(mountpoint_.c_str(), 0) != 0) {
    throw std::system_error(errno, std::generic_category(), "umount " + mountpoint_.string());
  }
  return join();
}

int FakeMount::join() {
  if (thread_.joinable()) thread_.join();
  return result_;
}

}  // namespace tusk::test
