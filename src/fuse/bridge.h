// What the request handlers share.
#pragma once

#include <cstdint>
#include <memory>

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

// A request that is being answered.
struct Measured {
  vfs::Op op{};
  MonotonicTime begun{};
  std::uint64_t token = 0;
  std::shared_ptr<vfs::Access> access = {};  // null: nobody reads the access log
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
