// A private file without a name: gone with its owner, whatever happens. Any thread.
#pragma once

#include <string>

#include "tuskfs/base/bytes.h"
#include "tuskfs/base/fd.h"
#include "tuskfs/base/result.h"

namespace tusk::objects {

class Spool {
 public:
  // In `folder`, which is made if need be; empty: in that for temporary files.
  static Result<Spool> open(const std::string& folder);

  Result<void> write(std::uint64_t offset, ByteSpan bytes) const;
  // Zeros where nothing was written.
  Result<void> read(std::uint64_t offset, std::span<std::uint8_t> into) const;
  Result<void> cut(std::uint64_t size) const;
  int fd() const { return fd_.get(); }

 private:
  Spool(Fd fd, std::string folder) : fd_(std::move(fd)), folder_(std::move(folder)) {}
  std::unexpected<Error> failed(const char* what) const;

  Fd fd_;
  std::string folder_;
};

}  // namespace tusk::objects
