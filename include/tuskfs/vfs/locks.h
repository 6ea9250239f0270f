// Locks that programs take of files: flock(2), of a whole file, and fcntl(2), of ranges of bytes.
// The two kinds do not know of each other, as with the kernel's own filesystems.
//
// Between the programs of this mount it is decided here, in memory. A tree with other mounts has an
// arbiter as well, who is asked once nobody here is in the way.
#pragma once

#include <functional>
#include <list>
#include <map>
#include <optional>
#include <vector>

#include "tuskfs/vfs/vfs.h"

namespace tusk::vfs {

// Mounts that must agree. On the core thread.
class LockArbiter {
 public:
  struct Question {
    Ino ino{};
    Lock wanted;             // type none: nothing that the owner does not have yet
    std::vector<Lock> then;  // all that the owner has of the file if it is given
    bool waits = false;      // freed_elsewhere() is to follow a refusal
  };

  virtual ~LockArbiter() = default;
  virtual bool is_needed() const = 0;
  // Whether it is given. It may be answered at once.
  virtual void ask(Question, Reply<bool>) = 0;
  // A lock of another mount that is in the way of `wanted`.
  virtual void find(Ino, const Lock& wanted, Reply<std::optional<Lock>>) = 0;
};

class Locks {
 public:
  explicit Locks(LockArbiter* arbiter = nullptr) : arbiter_(arbiter) {}
  Locks(const Locks&) = delete;
  Locks& operator=(const Locks&) = delete;

  // What would keep `wanted` from being given; type none: nothing. See Vfs::getlk.
  void find(Ino, const Lock& wanted, Reply<Lock>);
  // See Vfs::setlk. `token`: of the call, for interrupt().
  void set(Ino, const Lock& wanted, bool waits, std::uint64_t token, Reply<void>);
  // Ranges that were locked through an open file end with it at the latest.
  void closed(Ino, Handle);
  // False: no such call waits here.
  bool interrupt(std::uint64_t token);

  // By the arbiter: a lock of another mount is gone, or may be.
  void freed_elsewhere(Ino);
  // Tells the arbiter all that is held. What it refuses is lost, and given to `lost`.
  void restate(std::function<void(Ino, const Lock&)> lost, Wake done);

  bool empty() const { return files_.empty(); }
  // Whether anything of the file is, or is to be, locked.
  bool has(Ino ino) const { return files_.contains(ino); }
  // Somebody waits for a lock of another mount.
  bool is_refused_elsewhere() const;
  // Of these, all are to be tried again: a mount that dies tells nobody.
  void try_refused();

 private:
  struct Request {
    Lock wanted;
    bool waits = false;
    bool is_held = false;     // to be stated anew
    bool is_refused = false;  // by another mount
    std::uint64_t token = 0;
    Reply<void> reply = {};
  };
  struct File {
    std::vector<Lock> held;
    std::list<Request> waiting;
    std::optional<std::uint64_t> asking;  // the arbiter, for the call with this token
    bool is_interrupted = false;          // that call
  };

  void retry(Ino);
  bool attempt(Ino, Request);
  bool take(Ino, Request);
  bool finish(File&, Request);
  void ask(Ino, File&, Request);
  void answered(Ino, Request, Outcome<bool>);
  bool would_deadlock(const File&, const Lock& wanted) const;
  void tidy(Ino);

  LockArbiter* const arbiter_;
  std::map<Ino, File> files_;  // in which something is held or waited for
};

}  // namespace tusk::vfs
