// Files that are made when they are read, and the folders they lie in.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tuskfs/vfs/vfs.h"

namespace tusk::virt {

struct Rendered {
  std::shared_ptr<const std::string> text;
  WallTime measured_at{};
};

class LiveFile {
 public:
  virtual ~LiveFile() = default;

  virtual mode_t permissions() const { return 0444; }
  // As long as what was rendered may be shown again.
  virtual std::chrono::nanoseconds fresh_for() const { return std::chrono::seconds(1); }
  virtual void render(vfs::Reply<Rendered> done) = 0;
  // What one write(2) brought, without the newline at its end: all of it is taken, or nothing.
  virtual void take(std::string_view, vfs::Reply<void> done) { done(vfs::error(EACCES)); }
};

// A file, or a folder of others.
struct LiveEntry {
  std::string name;
  std::unique_ptr<LiveFile> file = {};  // null: a folder
  std::vector<LiveEntry> entries = {};
  std::optional<vfs::Attr> elsewhere = {};  // a folder of another tree
};

inline LiveEntry live_file(std::string name, std::unique_ptr<LiveFile> file) {
  return {std::move(name), std::move(file), {}, {}};
}

}  // namespace tusk::virt
