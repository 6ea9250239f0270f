// What the request handlers share.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "fuse/lowlevel.h"
#include "tuskfs/base/executor.h"
#include "tuskfs/vfs/meter.h"
#include "tuskfs/vfs/vfs.h"

namespace tusk::fuse {

// What a request asks for. Of a verb on a name, `ino` is the folder.
struct Request {
  vfs::Op op{};
  fuse_ino_t ino = 0;
  const char* name = nullptr;
};

// Who asks for what, while somebody reads the access log.
struct Caller {
  WallTime at{};
  uid_t uid = 0;
  gid_t gid = 0;
  pid_t pid = 0;
  fuse_ino_t ino = 0;
  std::string name;
};

// A request that is being answered.
struct Measured {
  vfs::Op op{};
  MonotonicTime begun{};
  std::shared_ptr<const Caller> caller = {};  // null: nobody wants to know
};

struct Bridge {
  Bridge(vfs::Vfs& filesystem, const Executor& clock_in, vfs::Meter& meter_in)
      : vfs(filesystem), clock(clock_in), meter(meter_in) {}

  vfs::Vfs& vfs;
  const Executor& clock;
  vfs::Meter& meter;
  Measured measured;  // of the verb that is being called
  std::uint64_t last_token = 0;
  // The request whose verb is being called; null as soon as it has been answered.
  fuse_req_t calling = nullptr;

  // FUSE_INIT as it passes: libfuse 3.14 does not know all that the kernel offers.
  std::uint64_t init_unique = 0;
  bool kernel_kills_no_privileges = false;
};

fuse_lowlevel_ops make_ops();
fuse_custom_io make_io();

}  // namespace tusk::fuse
