// A file descriptor with an owner.
#pragma once

#include <unistd.h>

#include <cstdint>
#include <utility>

#include "tuskfs/base/bytes.h"

namespace tusk {

class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    if (this != &other) {
      reset();
      fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
  }
  ~Fd() { reset(); }

  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  int release() { return std::exchange(fd_, -1); }
  void reset() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }

 private:
  int fd_ = -1;
};

// Everything, whatever interrupts it. False, with errno: not all of it was written.
bool write_all(int fd, ByteSpan bytes);
bool write_all_at(int fd, ByteSpan bytes, std::uint64_t offset);

}  // namespace tusk
