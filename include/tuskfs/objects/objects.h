// Where the content of large files is kept outside the database. An object is written once under an
// id that is never used again, and never changed afterwards. Blocking; for worker threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "tuskfs/base/bytes.h"
#include "tuskfs/base/executor.h"
#include "tuskfs/base/ids.h"
#include "tuskfs/base/result.h"

namespace tusk::objects {

// Objects are written in blocks of this size, as content is in chunks.
inline constexpr std::uint64_t kBlockBytes = 64 * 1024;

// An object that begins as a copy of another one.
struct Base {
  Uuid id;
  std::uint64_t size = 0;
};

// An object being written. One thread writes; others may read meanwhile. Destroyed before finish():
// given up, and what it left goes with Objects::remove().
class Upload {
 public:
  virtual ~Upload() = default;
  // Whole blocks from `block` on, of which only the object's last one may be short. In any order; a
  // later write of a block takes the place of the former.
  virtual Result<void> write(std::int64_t block, ByteSpan bytes) = 0;
  // Bytes from the start of `block` on, as written or as the base has them; zeros where neither is.
  virtual Result<void> read(std::int64_t block, std::span<std::uint8_t> into) = 0;
  // The object has exactly `size` bytes, and is safe from a power failure when this returns. Blocks
  // neither written nor of the base are zeros. May be called again after ENOSPC; after a disk that
  // failed it goes on failing, as nobody knows what is there.
  virtual Result<void> finish(std::uint64_t size) = 0;
};

struct Listed {
  Uuid id;
  std::uint64_t bytes = 0;
  WallTime changed{};
};

// Any thread. Errors: ENOENT (no such object), ENOSPC, EACCES, EIO.
class Objects {
 public:
  virtual ~Objects() = default;
  virtual Result<std::unique_ptr<Upload>> create(Uuid id, std::optional<Base> base) = 0;
  // Answers how many bytes there were: fewer than asked for at the object's end.
  virtual Result<std::size_t> read(Uuid id, std::uint64_t offset, std::span<std::uint8_t> into) = 0;
  // Of what is not there: fine.
  virtual Result<void> remove(Uuid id) = 0;
  // Every object, finished or given up, in no order.
  virtual Result<void> list(const std::function<void(const Listed&)>&) = 0;
  // A file of exactly the stored bytes: a hard link or reflink where that is possible.
  virtual Result<void> save_as(Uuid id, const std::filesystem::path&) = 0;
  // The reverse: the object has exactly the bytes of that file, and is durable. May be there
  // already.
  virtual Result<void> restore_from(Uuid id, const std::filesystem::path&) = 0;
  virtual std::string url(Uuid id) const = 0;
};

struct Options {
  std::string location = {};  // an absolute folder
  TenantId tree = {};         // has a folder of its own there
};

// Every tree leaves a mark at its place, so that a disk that is not mounted is not taken for an
// empty one. `fresh`: the tree has no objects yet, and the mark may be made. Without it and without
// the mark: ENOENT.
Result<std::unique_ptr<Objects>> open(const Options&, bool fresh);

// file:///folder/TREE, as urls of the tree's objects begin.
std::string place_of(const Options&);
// The location within a place; empty when it is none of that tree.
std::string location_in(const std::string& place, TenantId tree);
std::string url_in(const std::string& place, Uuid id);
std::optional<Uuid> id_in(std::string_view url);

}  // namespace tusk::objects
