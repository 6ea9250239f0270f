// What a keyed tree is made of: places, each a file or folder for every key that a table has. A
// place names the statements of sql/queries/keyed.sql that answer for it; those that are empty
// cannot be done there.
#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include <algorithm>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "tuskfs/store/cache.h"
#include "tuskfs/vfs/vfs.h"

namespace tusk::virt {

// The keys on the way to a file, the outermost first.
using Keys = std::vector<std::string>;

enum class Writing : std::uint8_t {
  whole,     // what was written so far is taken at each write
  alone,     // each write is a command
  at_close,  // all of it is taken when the file is closed
};

struct Place {
  std::string name =
      {};  // empty: there is one for each key. With a dot before it, it is not listed
  mode_t mode = S_IFDIR | 0755;

  std::string find = {};  // whether the key is there; files without are found by reading them
  std::string find_by_hash = {};  // keys that are too long for a name are shown by their hash
  std::string make = {}, remove = {};

  // That the name is there is believed for a moment. Who opens what is gone by then is told so.
  bool is_believed = false;

  // Of a folder.
  std::string list = {};  // its keys
  std::vector<Place> places = {};

  // Of a file.
  std::string read = {};
  // The statement of what was written (without the newline at its end), which is given the keys
  // before its own parameters; or why there is none.
  std::function<vfs::Outcome<store::KeyedQuestion>(std::string_view)> write = {};
  Writing writing = Writing::whole;
  std::size_t most = 4096;    // bytes that may be written
  bool may_be_empty = false;  // to empty it is to write nothing to it
  // What the driver knows itself, shown before what the database says.
  std::function<std::string()> first_lines = {};
  // It was written to.
  std::function<void(const Keys&)> written = {};

  bool is_folder() const { return S_ISDIR(mode); }
  bool is_listed() const { return !name.empty() && name[0] != '.'; }
  // Of a folder: the place of a fixed name, or, of no name, that of each key; null: there is none.
  const Place* within(std::string_view wanted) const {
    const auto found = std::ranges::find(places, wanted, &Place::name);
    return found == places.end() ? nullptr : &*found;
  }
};

// A file or folder that may be there.
struct Spot {
  const Place* place = nullptr;
  Keys keys;
  bool is_hashed = false;  // the last is the hash of a key
};

}  // namespace tusk::virt
