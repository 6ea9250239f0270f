// What workers write so that a crash can be judged: each protocol works in a folder of its own in a
// known order, and later says whether what it finds is one moment of that order, not before its
// last fsync, with no file torn.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "support/fs_calls.h"
#include "support/fs_worker.h"

namespace tusk::test {

class Protocol {
 public:
  virtual ~Protocol() = default;
  // Makes what work() starts from. Called on a live mount, before the workers start.
  virtual void prepare(const Path& folder) = 0;
  // Operations in order, until it is enough.
  virtual void work(const Path& folder, Progress& progress) = 0;
  // What is wrong with what is found; empty: nothing. A crash may lie between.
  virtual std::vector<std::string> judge(const Path& folder, const Progress& progress) = 0;
};

struct NamedProtocol {
  std::string name;
  std::unique_ptr<Protocol> protocol;
};
// An fsync of a folder makes everything in the tree durable as it is, also what others are in the
// middle of writing: with it, protocols that find that torn are left out.
enum class SyncBy { file, folder };
std::vector<NamedProtocol> all_protocols(SyncBy by);

// Several processes take numbers from one counter and make a file for each, one after the other:
// what is there afterwards must be a prefix across all of them.
class GlobalOrder {
 public:
  GlobalOrder(const Path& scratch, SyncBy by) : lock_(scratch / "order"), by_(by) {}
  void work(const Path& folder, Progress& progress) const;
  static std::vector<std::string> judge(const Path& folder, const Progress& progress);

 private:
  Path lock_;
  SyncBy by_;
};

}  // namespace tusk::test
