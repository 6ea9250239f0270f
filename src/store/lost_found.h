// What this mount did while it could not know that others did otherwise. They keep what they wrote,
// where they wrote it; contents of this mount that conflict go to a folder in the root of the tree,
// lost+found, with a line in the log.
//
// 1. All of it is part of the transaction of the group that brings the content: it is in lost+found
//    once that group has committed, and not at all before.
// 2. What went there once stays there: what later groups bring of it follows, until reset().
// 3. A file that others changed becomes another file; it shares the chunks that this mount did not
//    change. What others do not know of goes as it is.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "attach.h"
#include "connection.h"
#include "tuskfs/store/group.h"

namespace tusk::store {

// Used by the committing thread.
class LostFound {
 public:
  explicit LostFound(const Lease& lease) : lease_(lease) {}

  // Before the rows of the group are written: the group as it can be. `missed`: what others have
  // changed.
  PgExpected<Group> divert(Connection& connection, const Group& group,
                           const std::set<Uuid>& missed);
  // The database refuses what the group has of `owner` where it is.
  PgExpected<Group> divert_refused(Connection& connection, const Group& part, Uuid owner);
  // It refuses it there too.
  void take_back(Uuid owner);
  // After the rows: counts of links, and of the tree, are what they are. `group`: as it was made,
  // `rest`: as it was written.
  PgExpected<Usage> settle(Connection& connection, const Group& group, const Group& rest);
  // Whether the group of the last divert() has any conflict.
  bool has_found() const { return !attempt_.found.empty(); }
  // Files and folders that it made or changed and the group has no rows of.
  std::vector<Uuid> touched() const;

  // The group is in the database; nothing when it is another one than that of the last divert().
  void committed(GroupNo number);
  bool is_in_use() const { return !places_.empty() || !changed_.empty(); }
  // What of it is not as this mount left it; told once.
  std::vector<Uuid> take_displaced() { return std::exchange(displaced_, {}); }
  // No group that was made before this one's maker knows of others' changes is left: what of its
  // memory is not so any more.
  std::vector<Uuid> reset();

 private:
  struct Place {
    Uuid owner;
    Uuid id;  // another one than the owner: a file of its own
    FolderId folder;
    std::string name;
    bool has_content = false;
  };
  struct Entry {
    Uuid owner;
    std::optional<FolderId> folder = {};  // absent: it has no name in the group
    std::string name = {};
    enum class Kind { row, link, restore, other } kind = Kind::other;
  };
  struct Found {
    Uuid owner;
    std::string path, why;
    std::string place = {};  // path in lost+found; empty: nothing to keep
    bool is_worth_telling = true;
  };
  struct Folder {
    FolderId id, root;
    std::string name;
  };
  struct Attempt {
    GroupNo number{};
    std::vector<Place> places;
    std::vector<Found> found;
    std::optional<Folder> folder;
    int names = 0;
  };

  static std::vector<Entry> entries_of(const Group& group);
  PgExpected<void> add_blocked_removals(Connection& connection, const Group& group,
                                        std::set<Uuid>& theirs);
  PgExpected<void> resolve(Connection& connection, Group& rest, const Entry& entry, bool is_theirs,
                           Found found);
  PgExpected<std::string> place(Connection& connection, Group& rest, Uuid owner, Uuid id,
                                const std::string& name);
  PgExpected<void> find_folder(Connection& connection);
  std::string name_for(std::string_view name);
  static void put(Group& group, Place& place);

  const Lease& lease_;
  Attempt attempt_;
  std::vector<Place> places_;   // of groups that have committed
  std::vector<Found> dropped_;  // of these groups, as far as no later one brings a content
  std::vector<Uuid> displaced_, changed_;
};

}  // namespace tusk::store
