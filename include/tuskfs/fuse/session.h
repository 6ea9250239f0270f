// The FUSE side of a mount: speaks the protocol to the kernel and one Vfs call per request.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tuskfs/base/reactor.h"
#include "tuskfs/base/result.h"
#include "tuskfs/vfs/meter.h"
#include "tuskfs/vfs/vfs.h"

namespace tusk::fuse {

struct MountOptions {
  std::string mountpoint;
  std::string source = "tuskfs";  // fsname=
  // ro, allow_other, noatime, subtype=…: checked by the caller.
  std::vector<std::string> fuse_options = {};
};

class Session {
 public:
  // Mounts. Errors: ENOENT, ENOTDIR, EBUSY, EPERM … with a line that says what to do.
  // What is asked and answered is noted in `meter`, if there is one, which must outlive the
  // session.
  static Result<std::unique_ptr<Session>> mount(const MountOptions&, Reactor&, vfs::Vfs&,
                                                vfs::Meter* meter = nullptr);
  // Unmounts. Verbs that wait may be answered, to nobody, until then: let the Vfs finish first.
  virtual ~Session() = default;

  // Serves requests and the reactor on the calling thread until the mount is gone or stop() was
  // called; either way the mount is gone when it returns. What remains (the final flush) is the
  // caller's: 0 unmounted, else -errno.
  virtual int run() = 0;
  // Async-signal-safe: writes back what is mapped, unmounts (lazily, should files be open), ends
  // run().
  virtual void stop() = 0;
};

}  // namespace tusk::fuse
