// A mount of one moment: a folder of .tusk/at as the root of everything.
#include "virtual/past_tree.h"

namespace tusk::virt {
namespace {

constexpr std::string_view kStatus = "user.tusk.status";

// Nothing that is done now changes what was.
Setup setup_of(const MomentSetup& moment) {
  return {.root = moment.root,
          .commit = [](vfs::Reply<void> reply) { reply({}); },
          .sync = [](vfs::Reply<void> reply) { reply({}); },
          .snapshot_at = [](WallTime) {},
          .is_live = moment.is_live,
          .patience = moment.patience};
}

// Made before the tree, which refers to it.
struct Held {
  explicit Held(MomentSetup moment) : moment_(std::move(moment)), held_setup_(setup_of(moment_)) {}
  const MomentSetup moment_;
  const Setup held_setup_;
};

class MomentTree final : private Held, public PastTree {
 public:
  MomentTree(Executor& executor, store::PastStore& store, MomentSetup moment)
      : Held(std::move(moment)),
        PastTree(executor, store, held_setup_,
                 folder_item("", Moment{moment_.root.id, moment_.at}, moment_.root.meta),
                 kRootIno) {}

  void getxattr(const vfs::Call& call, Ino ino, std::string_view name,
                vfs::Reply<ByteSpan> reply) override {
    if (ino != kRootIno || name != kStatus)
      return PastTree::getxattr(call, ino, name, std::move(reply));
    reply(bytes_of(moment_.status_text()));
  }
};

}  // namespace

std::unique_ptr<vfs::Vfs> at_moment(Executor& executor, store::PastStore& store,
                                    MomentSetup moment) {
  return std::make_unique<MomentTree>(executor, store, std::move(moment));
}

}  // namespace tusk::virt
