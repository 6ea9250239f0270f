// Every limit and choice of the core, by name.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>

#include "tuskfs/vfs/meter.h"

namespace tusk::core {

enum class Durability { fsync, close, none };
enum class AtimeMode { relatime, noatime };

struct Options {
  Durability durability = Durability::fsync;
  AtimeMode atime = AtimeMode::relatime;
  bool read_only = false;
  std::chrono::nanoseconds db_timeout = std::chrono::seconds(60);
  // After somebody else has written, until the mount is alone with the tree again by itself.
  std::chrono::nanoseconds delegation_idle = std::chrono::seconds(2);
  std::chrono::nanoseconds publish_interval = std::chrono::seconds(5);
  std::chrono::nanoseconds lazy_interval = std::chrono::seconds(30);  // for atime alone
  std::chrono::nanoseconds retry_interval =
      std::chrono::milliseconds(200);            // after a failed commit
  std::uint64_t edit_in_place_limit = 64 << 10;  // above: chunks once edited in place
  std::uint64_t dirty_limit = 96u << 20;         // bytes not yet committed; past it writers wait
  std::uint64_t dirty_nodes_limit = 50'000;      // inodes not yet committed
  std::uint64_t cache_limit = 64u << 20;         // clean content kept in memory
  std::uint64_t stage_limit = 4u << 20;  // unpublished bytes of a file before chunks are staged
  std::size_t nodes_limit = 300'000;     // inodes kept in memory while the kernel lets go of them
  // Bytes free on the disk that holds the data; empty when it cannot be known.
  std::function<std::uint64_t()> free_bytes;
  vfs::Meter* meter = nullptr;  // told what operations waited for; outlives the filesystem
};

}  // namespace tusk::core
