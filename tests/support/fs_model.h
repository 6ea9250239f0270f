// A random walk over a filesystem: steps that can be taken on any folder, and what each gave.
#pragma once

#include <array>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "support/fs_calls.h"
#include "support/fs_snapshot.h"

namespace tusk::test {

enum class Act {
  open,
  close,
  read,
  write,  // at the handle's own offset
  write_at,
  seek,
  truncate,
  truncate_handle,
  rename,
  link,
  unlink,
  mkdir,
  rmdir,
  symlink,
  readlink,
  mkfifo,
  chmod,
  chown,
  set_times,
  set_xattr,
  get_xattr,
  remove_xattr,
  allocate,
  copy_range,
  map_write,
  sync,
  stat,
  list,
};

// One step; which fields count depends on the act.
struct Step {
  Act act{};
  std::string path, other;
  std::size_t slot = 0, other_slot = 0;  // of open handles
  std::uint64_t offset = 0, other_offset = 0, size = 0;
  int flags = 0;
  mode_t mode = 0;
  std::uint64_t seed = 0;  // of the bytes written
};
std::string to_string(const Step& step);

// Makes steps from a seed alone, so that two worlds can take the same.
class StepMaker {
 public:
  explicit StepMaker(std::uint64_t seed) : random_(seed) {}
  Step next();

 private:
  std::uint64_t below(std::uint64_t bound) { return random_() % bound; }
  std::string some_path();
  std::uint64_t some_offset();
  std::uint64_t some_size();
  int open_flags();

  std::mt19937_64 random_;
};

// A folder and the handles open in it.
class World {
 public:
  static constexpr std::size_t kSlots = 8;
  explicit World(Path root) : root_(std::move(root)) {}

  // What the step gave: an errno by name, or everything that the caller can see.
  std::string take(const Step& step);
  void close_all();
  // Times are told only where a step set them: those lie before 2010.
  Snapshot snapshot() const;

 private:
  std::string take_on_handle(const Step& step);
  std::string take_on_path(const Step& step);
  std::string take_on_xattr(const Step& step);
  std::string open(const Step& step);
  std::string read(const Step& step);
  std::string map_write(const Step& step);
  std::string copy_range(const Step& step);
  std::string stat(const Step& step);
  std::string list(const Step& step);
  Path at(const std::string& path) const { return root_ / path; }

  Path root_;
  std::array<Fd, kSlots> slots_;
};

}  // namespace tusk::test
