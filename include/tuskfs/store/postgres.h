// The Store over PostgreSQL, and the tree's ownership.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "tuskfs/base/executor.h"
#include "tuskfs/base/result.h"
#include "tuskfs/objects/objects.h"
#include "tuskfs/store/past.h"
#include "tuskfs/store/store.h"

namespace tusk::store {

struct PostgresOptions {
  std::string conninfo;  // libpq connection string or URI; may hold a password: never logged
  std::string tenant = "default";
  std::string mountpoint;  // recorded for others who ask who holds the tree
  int loaders = 2;         // connections that read, beside the one that commits
  // When history is cleaned up for the first time after the mount, and then again and again.
  std::chrono::milliseconds clean_first_after = std::chrono::seconds(30);
  std::chrono::milliseconds clean_every = std::chrono::minutes(10);
  // Where large files go, its `tree` filled in by the store. Without a location the noted one
  // counts, without that `objects_default`; when that is empty too, everything stays in the
  // database.
  objects::Options objects = {};
  std::string objects_default = {};
  // For how long an object stays that nothing refers to any more.
  std::chrono::seconds object_grace = std::chrono::hours(1);
  // Nothing is written, and of several servers a standby is preferred. For readers alone.
  bool only_reads = false;
  // Called on a worker thread before each attempt to reconnect (the embedded cluster restarts
  // itself here); may be empty.
  std::function<void()> before_reconnect;
};

class PostgresStore : public Store {
 public:
  // Connects, checks server and schema versions, takes the tree (EBUSY with a line that says who
  // holds it: host, pid, since), purges what a crashed mount left unpublished. Blocking.
  static Result<std::unique_ptr<PostgresStore>> attach(const PostgresOptions&, Executor&);

  virtual const Attached& attached() const = 0;
  // Over the connections that read.
  virtual PastStore& past() = 0;

  // Facts for `status`; any thread.
  struct State {
    bool connected = false;
    std::string database;  // "dbname at host:port", without secrets
    int schema_version = 0;
    std::uint64_t statements = 0;  // sent so far
    // Of groups that were committed: their statements; the WAL that the server wrote from a group's
    // first statement to its last, also that of others if they wrote just then, without the record
    // of the commit itself.
    std::uint64_t group_statements = 0, wal_bytes = 0;
    std::vector<OtherMount> others = {};
    // Who the delegation was last given up for, and when. Nobody yet: no time.
    Writer lent_to = {};
    WallTime lent_at = {};
  };
  virtual State state() const = 0;
};

// Of a PastReader: no moment, but what is there whenever it is asked.
inline constexpr WallTime kPresent{INT64_MAX};

// A tree at one moment, beside whoever has it mounted: takes and changes nothing.
class PastReader {
 public:
  // `moment`: a time as people write it, or a snapshot's name. ENOENT: there is no such tree or
  // snapshot, or the tree was not there yet. Blocking. The schema must be this program's.
  static Result<std::unique_ptr<PastReader>> open(const PostgresOptions&, const std::string& moment,
                                                  Executor&);
  // The tree as it is: at() is kPresent. What is read of a version that others have replaced
  // meanwhile is ESTALE.
  static Result<std::unique_ptr<PastReader>> open_present(const PostgresOptions&, Executor&);
  virtual ~PastReader() = default;

  virtual WallTime at() const = 0;
  virtual const FolderRow& root() const = 0;
  virtual PastStore& past() = 0;
  // "dbname at host:port", without secrets
  virtual std::string database() const = 0;
};

}  // namespace tusk::store
