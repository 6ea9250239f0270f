// A disk of its own for a server's data, with a ballast file that takes all but a little of it.
// Needs root.
#pragma once

#include <sys/mount.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <string>

#include "support/fs_server.h"

namespace tusk::test {

class SmallDisk {
 public:
  SmallDisk() {
    if (::mount("tmpfs", folder_.path().c_str(), "tmpfs", 0, "size=256m,mode=0755") != 0)
      throw_errno("mount tmpfs");
    make_folder(data(), 0700);
    const User owner = Server::owner();
    if (::chown(data().c_str(), owner.uid, owner.gid) != 0) throw_errno("chown");
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;
  ~SmallDisk() { ::umount2(folder_.path().c_str(), MNT_DETACH); }

  Path data() const { return folder_.path() / "data"; }
  void leave_free(std::uint64_t bytes) {
    make_room();
    struct statvfs s {};
    if (::statvfs(folder_.path().c_str(), &s) != 0) throw_errno("statvfs");
    const std::uint64_t free = s.f_bavail * s.f_frsize;
    if (free > bytes) put(ballast(), std::string(free - bytes, 'b'));
  }
  void make_room() { std::filesystem::remove(ballast()); }

 private:
  Path ballast() const { return folder_.path() / "ballast"; }
  TempFolder folder_;
};

}  // namespace tusk::test
