// Files that are made when they are read, and the folders they lie in.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
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

// What comes for one who has a file open; it ends with the handle.
class LiveStream {
 public:
  virtual ~LiveStream() = default;

  virtual bool has_some() const = 0;
  // At most so many bytes of it, which are then gone.
  virtual std::string take(std::size_t most) = 0;
  // Called once, when there is some again.
  virtual void on_some(vfs::Wake) = 0;
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
  // Taking something makes what all files show old.
  virtual bool renews_all() const { return false; }
  // What is read is a stream, which each handle has for itself; nothing is rendered.
  virtual bool is_stream() const { return false; }
  virtual std::unique_ptr<LiveStream> open_stream(Ino own) {
    (void)own;
    return nullptr;
  }
  // Somebody waits in poll(2) for what it shows to become another: then `changed` is called, once;
  // null: nobody does any more. Who does not override this is always ready.
  virtual bool can_be_watched() const { return false; }
  virtual void watch(vfs::Wake changed) { (void)changed; }
};

// A folder whose files come and go.
class LiveFolder {
 public:
  virtual ~LiveFolder() = default;

  virtual void list(vfs::Reply<std::vector<std::string>> done) = 0;
  // Of a name that was listed.
  virtual std::unique_ptr<LiveFile> file(const std::string& name) = 0;
};

// A file, or a folder of others.
struct LiveEntry {
  std::string name;
  std::unique_ptr<LiveFile> file = {};  // null: a folder
  std::vector<LiveEntry> entries = {};
  std::optional<vfs::Attr> elsewhere = {};  // a folder of another tree
  std::unique_ptr<LiveFolder> folder = {};  // which files it has is asked each time
};

inline LiveEntry live_file(std::string name, std::unique_ptr<LiveFile> file) {
  return {std::move(name), std::move(file), {}, {}, {}};
}

}  // namespace tusk::virt
