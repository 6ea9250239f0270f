#include <fcntl.h>
#include <linux/falloc.h>
#include <stdio.h>

#include <iterator>
#include <sstream>

#include "support/fs_model.h"

namespace tusk::test {
namespace {

struct Weight {
  Act act;
  unsigned weight;
};
constexpr Weight kWeights[] = {
    {Act::open, 16},     {Act::close, 3},        {Act::read, 8},      {Act::write, 8},
    {Act::write_at, 12}, {Act::seek, 2},         {Act::truncate, 3},  {Act::truncate_handle, 4},
    {Act::rename, 8},    {Act::link, 4},         {Act::unlink, 6},    {Act::mkdir, 7},
    {Act::rmdir, 4},     {Act::symlink, 2},      {Act::readlink, 1},  {Act::mkfifo, 1},
    {Act::chmod, 3},     {Act::chown, 2},        {Act::set_times, 3}, {Act::set_xattr, 4},
    {Act::get_xattr, 3}, {Act::remove_xattr, 2}, {Act::allocate, 4},  {Act::copy_range, 5},
    {Act::map_write, 3}, {Act::sync, 2},         {Act::stat, 4},      {Act::list, 3},
};
constexpr const char* kNames[] = {
    "open",         "close",    "read",       "write",     "write_at",  "seek",      "truncate",
    "ftruncate",    "rename",   "link",       "unlink",    "mkdir",     "rmdir",     "symlink",
    "readlink",     "mkfifo",   "chmod",      "chown",     "set_times", "set_xattr", "get_xattr",
    "remove_xattr", "allocate", "copy_range", "map_write", "sync",      "stat",      "list",
};

constexpr int kAccess[] = {O_RDONLY, O_WRONLY, O_RDWR, O_RDWR, O_RDWR};
constexpr int kRenameFlags[] = {0, 0, 0, RENAME_NOREPLACE, RENAME_EXCHANGE};
constexpr int kAllocate[] = {0, FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                             FALLOC_FL_ZERO_RANGE, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE};
// Around every boundary that the content tiers have.
constexpr std::uint64_t kPlaces[] = {0,      1,       100,     4096,      60'000,    65'535,
                                     65'536, 131'072, 200'000, 1'048'570, 1'048'576, 2'000'000};

}  // namespace

std::string to_string(const Step& step) {
  std::ostringstream text;
  text << kNames[static_cast<std::size_t>(step.act)] << " '" << step.path << "' '" << step.other
       << "' slots " << step.slot << ',' << step.other_slot << " offsets " << step.offset << ','
       << step.other_offset << " size " << step.size << " flags 0" << std::oct << step.flags
       << " mode 0" << step.mode << std::dec << " seed " << step.seed;
  return text.str();
}

std::string StepMaker::some_path() {
  std::string path;
  const std::uint64_t shape = below(10);
  const std::uint64_t depth = shape < 4 ? 1 : shape < 8 ? 2 : 3;
  for (std::uint64_t i = 0; i < depth; i++) {
    if (!path.empty()) path += '/';
    path += static_cast<char>('a' + below(8));
  }
  return path;
}

std::uint64_t StepMaker::some_offset() {
  const std::uint64_t place = kPlaces[below(std::size(kPlaces))];
  return below(2) == 0 ? place : place + below(10'000);
}

std::uint64_t StepMaker::some_size() {
  switch (below(4)) {
    case 0:
      return 1 + below(50);
    case 1:
      return 1 + below(5'000);
    case 2:
      return 1 + below(100'000);
    default:
      return 65'536 * (1 + below(3));
  }
}

int StepMaker::open_flags() {
  int flags = kAccess[below(std::size(kAccess))];
  if (below(3) != 0) flags |= O_CREAT;
  if (below(6) == 0) flags |= O_TRUNC;
  if (below(8) == 0) flags |= O_APPEND;
  if (below(10) == 0) flags |= O_EXCL | O_CREAT;
  if (below(10) == 0) flags |= O_NOFOLLOW;
  return flags;
}

Step StepMaker::next() {
  unsigned total = 0;
  for (const Weight& entry : kWeights) total += entry.weight;
  auto left = static_cast<unsigned>(below(total));
  const Weight* chosen = kWeights;
  while (left >= chosen->weight) left -= (chosen++)->weight;
  Step step;
  step.act = chosen->act;
  step.path = some_path();
  step.other = some_path();
  step.slot = below(World::kSlots);
  step.other_slot = below(World::kSlots);
  step.offset = some_offset();
  step.other_offset = some_offset();
  step.size = some_size();
  step.mode = static_cast<mode_t>(below(8) == 0 ? below(010000) : below(01000));
  step.seed = random_();
  switch (step.act) {
    case Act::open:
      step.flags = open_flags();
      break;
    case Act::rename:
      step.flags = kRenameFlags[below(std::size(kRenameFlags))];
      break;
    case Act::allocate:
      step.flags = kAllocate[below(std::size(kAllocate))];
      break;
    case Act::set_xattr:
      step.flags = static_cast<int>(below(6) < 4 ? 0 : 1 + below(2));
      break;
    default:
      break;
  }
  return step;
}

}  // namespace tusk::test
