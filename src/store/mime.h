// Media types, told by name where possible: content is looked at only when the name says nothing.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "tuskfs/base/bytes.h"

struct magic_set;

namespace tusk::store {

// Used by one thread.
class MimeTypes {
 public:
  MimeTypes();  // reads /etc/mime.types where the system has it

  // By the mode (inode/symlink …) or the name's extension.
  std::optional<std::string_view> by_name(mode_t mode, std::string_view name) const;
  // By name, else by content, of which `head` are the first bytes.
  std::string_view by_content(mode_t mode, std::string_view name, ByteSpan head);
  // libmagic takes 100 µs a file, a third of the driver's work in a run of small files: only so
  // many files a second are worth that.
  void start_group(std::chrono::steady_clock::time_point now) {
    if (now - refilled_ < std::chrono::seconds(1)) return;
    refilled_ = now;
    magic_left_ = kMagicPerSecond;
  }

 private:
  static constexpr int kMagicPerSecond = 16;
  struct CloseMagic {
    void operator()(magic_set* magic) const;
  };

  std::string_view by_magic(ByteSpan head);

  std::unordered_map<std::string, std::string> by_extension_;
  std::unique_ptr<magic_set, CloseMagic> magic_;
  bool magic_failed_ = false;
  int magic_left_ = kMagicPerSecond;
  std::chrono::steady_clock::time_point refilled_{};
  std::string last_;
};

}  // namespace tusk::store
