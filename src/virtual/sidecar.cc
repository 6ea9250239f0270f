#include "tuskfs/virtual/sidecar.h"

#include "tuskfs/base/log.h"
#include "tuskfs/store/cache.h"
#include "tuskfs/store/collector.h"
#include "virtual/cache/cache_tree.h"
#include "virtual/forwarding.h"
#include "virtual/live_tree.h"
#include "virtual/stats/driver_files.h"
#include "virtual/stats/files.h"
#include "virtual/table.h"

namespace tusk::virt {
namespace {

constexpr std::string_view kStatus = "user.tusk.status";
constexpr const char* kStats = "stats";
constexpr const char* kCache = "cache";
constexpr auto kFirstCapture = std::chrono::seconds(2);
constexpr auto kCaptureCheck = std::chrono::hours(1);

Ino cache_ino(bool alone) {
  const std::uint64_t others = alone ? 0 : kDotTuskBit | kSidecarBit;
  return Ino{others | kCacheBit | 1};
}

class Sidecar final : public Forwarding {
 public:
  Sidecar(Executor& executor, SidecarSetup setup)
      : executor_(executor),
        setup_(std::move(setup)),
        collector_(store::Collector::start(executor, setup_.conninfo)),
        statistics_(executor, *collector_),
        alerts_(executor, *collector_, setup_.alerts_every),
        cache_(
            executor,
            [this, &executor](store::CacheStore::Watcher watcher) {
              return store::CacheStore::start(executor, setup_.conninfo, std::move(watcher));
            },
            cache_ino(setup_.alone), setup_.uid, setup_.gid),
        live_(executor, folders(), setup_.alone ? kRootIno : kSidecarIno, setup_.uid, setup_.gid) {
    // In a mount of files an unread sidecar costs nothing.
    if (setup_.alone) capture_after(kFirstCapture);
  }

  void getxattr(const vfs::Call& call, Ino ino, std::string_view name,
                vfs::Reply<ByteSpan> reply) override {
    if (ino != kRootIno || name != kStatus || !setup_.status_text)
      return Forwarding::getxattr(call, ino, name, std::move(reply));
    reply(bytes_of(setup_.status_text()));
  }
  void interrupt(std::uint64_t token) override {
    live_.interrupt(token);
    cache_.interrupt(token);
  }
  void set_kernel_cache(vfs::KernelCache* cache) override { cache_.set_kernel_cache(cache); }

 protected:
  vfs::Vfs& of(Ino ino) const override {
    const bool is_cache = (static_cast<std::uint64_t>(ino) & kCacheBit) != 0;
    return is_cache ? static_cast<vfs::Vfs&>(cache_) : live_;
  }

 private:
  LiveEntry folders() {
    LiveEntry top;
    LiveEntry stats = stats_folder(statistics_, alerts_, setup_.driver.meter);
    if (setup_.driver.meter) stats.entries.push_back(driver_folder(executor_, setup_.driver));
    top.entries.push_back(std::move(stats));
    top.entries.push_back({.name = kCache, .elsewhere = cache_.top()});
    return top;
  }

  // Not when something is read: reading has no side effects.
  void capture_after(std::chrono::nanoseconds delay) {
    executor_.after(delay, [this] {
      collector_->capture([this](Result<bool> captured) {
        if (!captured && captured.error().code != ENOTCONN)
          log::warning("the statistics of today are not kept: {}", captured.error().what);
        capture_after(kCaptureCheck);
      });
    });
  }

  Executor& executor_;
  const SidecarSetup setup_;
  std::unique_ptr<store::Collector> collector_;
  Statistics statistics_;
  AlertSampler alerts_;
  mutable CacheTree cache_;
  mutable LiveTree live_;
};

}  // namespace

std::vector<std::string> sidecar_names() { return {kCache, kStats}; }

std::unique_ptr<vfs::Vfs> sidecar(Executor& executor, SidecarSetup setup) {
  return std::make_unique<Sidecar>(executor, std::move(setup));
}

}  // namespace tusk::virt
