#include "tuskfs/virtual/sidecar.h"

#include "virtual/live_tree.h"
#include "virtual/stats/files.h"

namespace tusk::virt {
namespace {

constexpr std::string_view kStatus = "user.tusk.status";

LiveEntry folders(Statistics& statistics) {
  LiveEntry entry;
  entry.entries.push_back(stats_folder(statistics));
  return entry;
}

// Made before the tree, which refers to it.
struct Kept {
  Kept(Executor& executor, store::Collector& collector) : statistics_(executor, collector) {}
  Statistics statistics_;
};

class Sidecar final : private Kept, public LiveTree {
 public:
  Sidecar(Executor& executor, store::Collector& collector, SidecarSetup setup)
      : Kept(executor, collector),
        LiveTree(executor, folders(statistics_), kRootIno, setup.uid, setup.gid),
        setup_(std::move(setup)) {}

  void getxattr(const vfs::Call& call, Ino ino, std::string_view name,
                vfs::Reply<ByteSpan> reply) override {
    if (ino != kRootIno || name != kStatus || !setup_.status_text)
      return LiveTree::getxattr(call, ino, name, std::move(reply));
    reply(bytes_of(setup_.status_text()));
  }

 private:
  const SidecarSetup setup_;
};

}  // namespace

std::unique_ptr<vfs::Vfs> sidecar(Executor& executor, store::Collector& collector,
                                  SidecarSetup setup) {
  return std::make_unique<Sidecar>(executor, collector, std::move(setup));
}

}  // namespace tusk::virt
