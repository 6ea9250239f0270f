// From a path in a mounted tree to the tree's history.
#pragma once

#include <memory>
#include <string>

#include "cli/database.h"
#include "cli/requests.h"
#include "tuskfs/store/history.h"

namespace tusk::cli {

// A path in a mounted tree, and how the tree's database is reached.
struct MountedPath {
  Source source = {};
  std::string root;       // where the tree is mounted
  std::string path = {};  // within the tree, as "/a/b"; the root is "/"
  std::string tenant;
};
// With everything committed that was done so far. `database`: of a mount whose database is not an
// embedded one. EINVAL when the path is in no TuskFS mount.
Result<MountedPath> mounted_path(const std::string& path, const std::string& database);

struct Past {
  Database database = {};
  std::unique_ptr<store::History> history = {};
  std::string root;  // where the tree is mounted
  std::string path;  // within the tree, as "/a/b"; the root is "/"
};

// The mount that holds request.path, with everything it has not committed yet committed. EINVAL
// when the path is in no TuskFS mount.
Result<Past> look_back(const PastRequest& request);

WallTime present();

// The moment that is meant: `at`, else now, else when the path was last seen. ENOENT when it named
// nothing then.
struct PastPlace {
  store::PastEntry entry;
  WallTime at{};
};
Result<PastPlace> find_place(const Past& past, const PastRequest& request);
// The version that is meant by number, else the content of that moment.
Result<store::PastVersion> find_version(const Past& past, FileId file, WallTime at, Version wanted);

}  // namespace tusk::cli
