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

// Whole blocks of this size, at a multiple of it, are the cheapest to write, and to read when
// objects are encrypted.
inline constexpr std::uint64_t kBlockBytes = 64 * 1024;

// An object that begins as a copy of another one, which must stay until finish(): it may be copied
// only then.
struct Base {
  Uuid id;
  std::uint64_t size = 0;
};

// An object being written. One thread writes; others may read meanwhile. Destroyed before finish():
// given up, and what it left goes with Objects::remove().
class Upload {
 public:
  virtual ~Upload() = default;
  // Any bytes at any offset, in any order; a later write takes the place of a former.
  virtual Result<void> write(std::uint64_t offset, ByteSpan bytes) = 0;
  // As written or as the base has them; zeros where neither is.
  virtual Result<void> read(std::uint64_t offset, std::span<std::uint8_t> into) = 0;
  // The object has exactly `size` bytes, and is safe from a power failure when this returns. What
  // is neither written nor of the base is zeros. May be called again after an error; after a disk
  // that failed it goes on failing, as nobody knows what is there.
  virtual Result<void> finish(std::uint64_t size) = 0;
};

struct Listed {
  Uuid id;
  std::uint64_t bytes = 0;
  WallTime changed{};
};

// Objects as they are stored, whether encrypted or not: for those who count, copy and remove them.
// Any thread. Errors: ENOENT (no such object), ENOSPC, EACCES, EIO (with the object's url in
// `what`), ETIMEDOUT (a server that does not answer; may be tried again).
class StoredObjects {
 public:
  virtual ~StoredObjects() = default;
  // Empty: it is not there.
  virtual Result<std::optional<std::uint64_t>> size(Uuid id) = 0;
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
  // What the place says of how its objects are stored; copies of them go where the same is said.
  virtual const std::string& mark() const = 0;
  // As an object with so much content has them.
  std::uint64_t stored_bytes(std::uint64_t content) const;
};

// Their contents as well.
class Objects : public StoredObjects {
 public:
  virtual Result<std::unique_ptr<Upload>> create(Uuid id, std::optional<Base> base) = 0;
  // Answers how many bytes there were: fewer than asked for at the object's end.
  virtual Result<std::size_t> read(Uuid id, std::uint64_t offset, std::span<std::uint8_t> into) = 0;
};

// What else it takes to get at objects, wherever they are.
struct Access {
  std::string keyfile = {};  // objects are encrypted with the key in it; empty: they are not
  // Of S3: pieces that were read lately, and what is on its way up. Empty: tuskfs in the user's
  // folder for caches.
  std::string cache_folder = {};
  std::uint64_t cache_bytes = 1 << 30;
};

struct Options {
  std::string location = {};  // an absolute folder, or s3://bucket/prefix
  TenantId tree = {};         // has a folder (or prefix) of its own there
  Access access = {};
};

// Every tree leaves a mark at its place, so that a disk that is not mounted is not taken for an
// empty one. `fresh`: the tree has no objects yet, and the mark may be made. Without it and without
// the mark: ENOENT.
Result<std::unique_ptr<Objects>> open(const Options&, bool fresh);
// Needs no key.
Result<std::unique_ptr<StoredObjects>> open_stored(const Options&, bool fresh);
// For copies of `source`'s objects: made, if it is not there, with the same mark. EINVAL: it holds
// objects that are stored in another way.
Result<std::unique_ptr<StoredObjects>> open_copies(const Options&, const StoredObjects& source);

// file:///folder/TREE or s3://bucket/prefix/TREE, as urls of the tree's objects begin.
std::string place_of(const Options&);
// The location within a place; empty when it is none of that tree.
std::string location_in(const std::string& place, TenantId tree);
std::string url_in(const std::string& place, Uuid id);
std::optional<Uuid> id_in(std::string_view url);

}  // namespace tusk::objects
