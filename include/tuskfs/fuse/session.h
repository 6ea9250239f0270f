// The FUSE side of a mount: speaks the protocol to the kernel and one Vfs call per request.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tuskfs/base/reactor.h"
#include "tuskfs/base/result.h"
#include "tuskfs/vfs/vfs.h"

namespace tusk::fuse {

struct MountOptions {
  std::string mountpoint;
  std::string source = "tuskfs";        // fsname=
  std::vector<std::string> fuse_options;  // ro, allow_other, noatime, subtype=…: checked by the caller
};

class Session {
 public:
  // Mounts. Errors: ENOENT, ENOTDIR, EBUSY, EPERM … with a line that says what to do.
  static Result<std::unique_ptr<Session>> mount(const MountOptions&, Reactor&, vfs::Vfs&);
  virtual ~Session() = default;  // unmounts

  // Serves requests and the reactor on the calling thread until the mount is gone or stop() was
  // called. `idle` work (final flush) is the caller's, after it returns: 0 unmounted, else -errno.
  virtual int run() = 0;
  // Async-signal-safe: ends run() and leads to unmounting.
  virtual void stop() = 0;
};

}  // namespace tusk::fuse
