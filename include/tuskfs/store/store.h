// The door to what is stored. Asynchronous: every call returns at once and answers through its
// callback, on the core thread (the Executor given at construction), exactly once.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "tuskfs/base/result.h"
#include "tuskfs/store/group.h"
#include "tuskfs/store/quota.h"
#include "tuskfs/store/rows.h"

namespace tusk::store {

template <class T>
using Callback = std::move_only_function<void(T)>;

// One page of a folder's entries, in bytewise order of names over all three lists together. `files`
// also holds the rows of files whose further name (in `links`) is in this page.
struct FolderPage {
  std::vector<FolderRow> folders;
  std::vector<FileRow> files;
  std::vector<LinkRow> links;
  std::string next_after;  // ask again after this name; empty: the folder is complete
};

// Asked of the store: every entry of `folder` with a name above `after`, at most `limit` of them.
struct FolderQuery {
  FolderId folder;
  std::string after;
  int limit = 10'000;
};

struct InlineContent {
  FileId file;
  Version version = 0;
  SharedBytes data;      // null: the row has no inline data or is gone
  bool damaged = false;  // its checksum does not match
};

struct ChunkQuery {
  FileId file;
  ChunkRange range;
  Version version = 0;  // newest rows not above it
  // Objects that are being written, the newest first: what they have got is newer than the rest.
  std::vector<Uuid> writing = {};
  std::optional<Uuid> object = {};  // where the chunks are instead of rows
};
struct Chunk {
  std::int64_t number = 0;
  SharedBytes data;
};

// Something in the trash, and whether any of the files asked about went there with it.
struct TrashQuery {
  Uuid id;
  std::vector<FileId> among;
};
struct TrashedEntry {
  std::variant<FolderRow, FileRow> row;
  bool has_any = false;
  Usage usage;  // of all that leaves the trash with it
};

// Files and folders by id, as they are in the tree now; what is asked for and not here is in it no
// more. `links`: the further names of the files.
struct EntryRows {
  std::vector<FolderRow> folders;
  std::vector<FileRow> files;
  std::vector<LinkRow> links;
};

// How a commit ended. `unknown` is never folded into failure: the group is sent again, and the
// store answers `committed` if it finds it there.
enum class CommitState {
  committed,
  unknown,  // the connection was lost before the answer to COMMIT
  retry,    // not committed, and may succeed later: connection, deadlock, disk full
  refused,  // not committed, and will not succeed by itself; error.code says why
  fenced,   // another mount took the tree over: never try again
};
// A file or folder of the group whose rows the database refuses for good (a constraint or trigger
// of an application, a name that an SQL client took): nothing of it is stored, and never will be.
struct Refusal {
  Uuid owner;
  std::string why;
};
struct CommitResult {
  CommitState state = CommitState::committed;
  Error error = {};                   // code: ENOSPC on a full disk, EIO otherwise
  std::vector<Refusal> refused = {};  // with `committed`: all but these are in
  // With `committed`: others had changed these meanwhile, or taken their places, which others keep;
  // what contents the groups up to this one had of them is in lost+found. The Delegate was
  // recalled.
  std::vector<Uuid> displaced = {};
  // With `committed`, of a group that counts itself: what it is now.
  std::optional<Usage> usage = {};
};

// Whether a mount looks at its tree alone; if not, what it answers must be what others committed
// and, as far as others may look for it, what they will find.
enum class Presence {
  alone,   // no other mount looks at the tree
  shared,  // others may
  asleep,  // this one does not, so that another one can be alone
};

// For people: another mount of the tree.
struct OtherMount {
  std::string host;
  std::int64_t pid = 0;
  std::string mountpoint;
  std::string since;      // as ISO 8601, UTC
  bool is_alive = false;  // it has its connection
};

// For people: who writes in the tree, or wants to.
struct Writer {
  std::int64_t pid = 0;  // of the server's process
  std::string user, application;
  std::string mount;  // "host:mountpoint"; empty: an SQL client
};

// What a program has locked of a file, in bytes.
struct FileLock {
  std::int64_t first = 0, last = INT64_MAX;
  bool is_exclusive = false;
  std::int64_t pid = 0;
};
struct LockQuestion {
  Uuid file;
  bool is_range = true;                 // by fcntl(2); else by flock(2)
  std::int64_t owner = 0;               // as this mount's kernel numbers them
  std::optional<FileLock> wanted = {};  // nothing: what it has, it had
  bool waits = false;                   // to be called once it may be given
  std::vector<FileLock> then = {};      // all that the owner has of the file if it is
};

// Holds the delegation of the tree: while it does, nobody else writes in it. On the core thread.
class Delegate {
 public:
  virtual ~Delegate() = default;
  // Somebody waits to write, or others have written while the database was away: give_back() is to
  // follow once everything is committed.
  virtual void recalled() = 0;
  // Others have changed these while it is away, and more may come.
  virtual void changed(std::vector<Uuid> ids) = 0;
  // It is back, after others have changed these.
  virtual void returned(std::vector<Uuid> ids, Usage usage) = 0;

  // Another mount waits to look at the tree: share() is to follow once all that was answered is
  // committed.
  virtual void asked_to_share() = 0;
  virtual void presence(Presence) = 0;
  // Another mount let go of a lock that this one waits for; of any file, perhaps.
  virtual void lock_freed(std::optional<Uuid> file) = 0;
};

class Store {
 public:
  virtual ~Store() = default;

  // Loads. A row or chunk whose checksum is wrong is EIO with a log line; a connection lost is
  // ENOTCONN, which the caller may try again; a damaged schema is EIO.
  virtual void load_folder(const FolderQuery&, Callback<Result<FolderPage>>) = 0;
  virtual void load_inline(std::vector<FileId>, Callback<Result<std::vector<InlineContent>>>) = 0;
  // Chunks that do not exist are absent from the answer.
  virtual void load_chunks(const ChunkQuery&, Callback<Result<std::vector<Chunk>>>) = 0;
  virtual void load_xattrs(Uuid owner, Callback<Result<std::vector<XattrRow>>>) = 0;
  // All further names of a file.
  virtual void load_links(FileId, Callback<Result<std::vector<LinkRow>>>) = 0;

  virtual void load_entries(std::vector<Uuid>, Callback<Result<EntryRows>>) = 0;

  // ENOENT: it is not in the trash.
  virtual void load_trashed(const TrashQuery&, Callback<Result<TrashedEntry>>) = 0;
  // Whether the folder and everything below it, as committed, belongs to the user.
  virtual void load_ownership(FolderId, uid_t, Callback<Result<bool>>) = 0;

  // What is below a folder, as committed; with an owner what of that is his, as a clone has it.
  virtual void load_size(FolderId, std::optional<uid_t>, Callback<Result<Usage>>) = 0;
  // Of the tree, as of a moment ago.
  virtual Quota quota() const = 0;

  // Whether rows of applications can refer to files or folders, and keep them from being deleted; a
  // moment old. Then load_reference tells by which constraint of which table one is; empty: by
  // none.
  virtual bool has_references() const = 0;
  virtual void load_reference(Uuid, Callback<Result<std::string>>) = 0;

  // One at a time; groups are numbered consecutively from attached().last_group + 1.
  virtual void commit(std::shared_ptr<const Group>, Callback<CommitResult>) = 0;

  // Who is told of the delegation, which a mount has from the start; null: nobody any more.
  virtual void set_delegate(Delegate*) = 0;
  // Others may write. No commit may follow before returned(), which is to be asked for.
  virtual void give_back() = 0;
  virtual void take_back() = 0;

  // The Delegate is told when it is done: presence().
  virtual void share() = 0;  // after asked_to_share()
  virtual void rest() = 0;   // from shared to asleep
  virtual void wake() = 0;   // from asleep to shared
  // Answers once the Delegate was told of all that others had committed when it was asked.
  virtual void look(Callback<Result<void>>) = 0;

  // Whether the tree has other mounts, looking or not, there or without a connection.
  virtual bool has_others() const = 0;
  // Whether the delegation and the presence are as the delegate was told: not so for a moment after
  // this process was frozen, while others may have given it up.
  virtual bool is_certain() const = 0;
  // Whether no lock of another mount is in the way; then the others know what the owner has.
  virtual void set_locks(const LockQuestion&, Callback<Result<bool>>) = 0;
  // A lock of another mount that is in the way.
  virtual void find_lock(const LockQuestion&, Callback<Result<std::optional<FileLock>>>) = 0;

  // Files without a name that this mount has open, or no longer has: while it does they stay
  // readable, whoever removed them.
  virtual void sustain(std::vector<FileId>, bool is_open) = 0;
};

// What a mount learns when it takes a tree.
struct Attached {
  TenantId tenant;
  FolderRow root;
  Usage usage;
  GroupNo last_group{};
  Presence presence = Presence::alone;
  bool has_objects = false;  // there is a place for objects
  WallTime last_snapshot{};  // zero: there is none
  Quota quota = {};
};

}  // namespace tusk::store
