#include "store/embedded_settings.h"

namespace tusk::store::embedded {
namespace {

constexpr const char* kSettings =
    R"(# Written by tuskfs at each start. For settings of your own: alter system set ...
listen_addresses = ''
port = 5432
# Relative to the cluster: the data folder itself, however long its path is.
unix_socket_directories = '..'
unix_socket_permissions = 0700
cluster_name = 'tuskfs'
max_connections = 50
max_logical_replication_workers = 0

# Promises of the filesystem rest on these.
fsync = on
full_page_writes = on
synchronous_commit = on

# Many small transactions and bursts of bulk writes.
shared_buffers = 256MB
huge_pages = off
wal_buffers = 16MB
min_wal_size = 256MB
max_wal_size = 2GB
checkpoint_timeout = 15min
checkpoint_completion_target = 0.9
random_page_cost = 1.1
jit = off
autovacuum = on
autovacuum_naptime = 15s

# A week of logs, each day's taking the place of the one a week before.
logging_collector = on
log_directory = 'log'
log_filename = 'postgresql-%a.log'
log_truncate_on_rotation = on
log_rotation_age = 1d
log_rotation_size = 0
log_min_messages = warning
log_checkpoints = off
log_timezone = 'UTC'
timezone = 'UTC'
)";

}  // namespace

std::string settings(bool with_lz4) {
  return std::string(kSettings) + "wal_compression = " + (with_lz4 ? "lz4" : "off") + "\n";
}

}  // namespace tusk::store::embedded
