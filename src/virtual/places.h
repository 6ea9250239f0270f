// What the folders of .tusk list: from a place to the store's question and back.
#pragma once

#include "virtual/asking.h"
#include "virtual/item.h"

namespace tusk::virt {

class Places {
 public:
  Places(Executor& executor, store::PastStore& store, const Setup& setup, Asker& asker)
      : executor_(executor), store_(store), setup_(setup), asker_(asker) {}

  // All items; with a name at least the one of that name, if there is one.
  void list(const What& place, const std::string& name, vfs::Reply<Listing> done);

 private:
  Listing top() const;
  void list_trash(vfs::Reply<Listing> done);
  void list_history(const History& history, const std::string& name, vfs::Reply<Listing> done);
  void list_versions(const History& history, vfs::Reply<Listing> done);
  void find_time(const std::string& name, vfs::Reply<Listing> done);

  Executor& executor_;
  store::PastStore& store_;
  const Setup& setup_;
  Asker& asker_;
};

}  // namespace tusk::virt
