// The database of a source, brought up and with a schema this program works with.
#pragma once

#include <memory>
#include <string>

#include "cli/requests.h"
#include "tuskfs/base/result.h"
#include "tuskfs/store/embedded.h"
#include "tuskfs/store/migrate.h"

namespace tusk::cli {

struct Database {
  std::unique_ptr<store::EmbeddedCluster> cluster;  // null: somebody else's server
  std::string conninfo;
};
Result<Database> open_database(const Source& source);

// The same, but never makes a cluster: ENOENT when the folder holds none. The schema must be this
// program's.
Result<Database> open_tree(const Source& source, store::AskedOf asked = store::AskedOf::primary);

// Makes the schema in an empty database; an older one only when `migrate`.
Result<void> prepare_schema(const std::string& conninfo, bool migrate);
// EINVAL when the schema cannot be worked with: drift, or newer than this program.
Result<void> check_schema(const store::SchemaStatus& status);

}  // namespace tusk::cli
