#include "tuskfs/virtual/sidecar.h"

#include <array>

#include "tuskfs/base/log.h"
#include "tuskfs/store/cache.h"
#include "tuskfs/store/collector.h"
#include "virtual/cache/cache_tree.h"
#include "virtual/forwarding.h"
#include "virtual/keyed/keyed_tree.h"
#include "virtual/keyed/places.h"
#include "virtual/live_tree.h"
#include "virtual/stats/driver_files.h"
#include "virtual/stats/files.h"
#include "virtual/table.h"

namespace tusk::virt {
namespace {

constexpr std::string_view kStatus = "user.tusk.status";
constexpr const char* kStats = "stats";
constexpr const char* kCache = "cache";
constexpr std::array kKeyed = {"flags", "ratelimit", "sessions"};
constexpr auto kFirstCapture = std::chrono::seconds(2);
constexpr auto kCaptureCheck = std::chrono::hours(1);

// The first number of the cache or of the keyed folders.
Ino first_ino(bool alone, std::uint64_t bit) {
  const std::uint64_t others = alone ? 0 : kDotTuskBit | kSidecarBit;
  return Ino{others | bit | 1};
}

class Sidecar final : public Forwarding {
 public:
  Sidecar(Executor& executor, SidecarSetup setup)
      : executor_(executor),
        setup_(std::move(setup)),
        collector_(store::Collector::start(executor, setup_.conninfo, setup_.before_connect)),
        statistics_(executor, *collector_),
        alerts_(executor, *collector_, setup_.alerts_every),
        cache_(
            executor,
            [this, &executor](store::CacheStore::Watcher watcher) {
              return store::CacheStore::start(executor, setup_.conninfo, std::move(watcher),
                                              setup_.before_connect);
            },
            first_ino(setup_.alone, kCacheBit), setup_.uid, setup_.gid),
        keyed_(
            executor, keyed_folders(),
            [this](store::KeyedQuestion question, auto callback) {
              cache_.store().ask(std::move(question), std::move(callback));
            },
            first_ino(setup_.alone, kKeyedBit), setup_.uid, setup_.gid),
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
  // Files of cache/ that are no keys are the keyed tree's.
  void lookup(const vfs::Call& call, Ino parent, std::string_view name,
              vfs::Reply<vfs::Entry> reply) override {
    Forwarding::lookup(call, side_of(parent, name), name, std::move(reply));
  }
  void unlink(const vfs::Call& call, Ino parent, std::string_view name,
              vfs::Reply<void> reply) override {
    Forwarding::unlink(call, side_of(parent, name), name, std::move(reply));
  }
  void rmdir(const vfs::Call& call, Ino parent, std::string_view name,
             vfs::Reply<void> reply) override {
    Forwarding::rmdir(call, side_of(parent, name), name, std::move(reply));
  }
  void rename(const vfs::Call& call, Ino parent, std::string_view name, Ino new_parent,
              std::string_view new_name, unsigned flags, vfs::Reply<void> reply) override {
    Forwarding::rename(call, side_of(parent, name), name, new_parent, new_name, flags,
                       std::move(reply));
  }
  void interrupt(std::uint64_t token) override {
    live_.interrupt(token);
    cache_.interrupt(token);
    keyed_.interrupt(token);
  }
  void set_kernel_cache(vfs::KernelCache* cache) override { cache_.set_kernel_cache(cache); }

 protected:
  vfs::Vfs& of(Ino ino) const override {
    const auto number = static_cast<std::uint64_t>(ino);
    if ((number & kCacheBit) != 0) return cache_;
    return (number & kKeyedBit) != 0 ? static_cast<vfs::Vfs&>(keyed_) : live_;
  }

 private:
  LiveEntry folders() {
    LiveEntry top;
    LiveEntry stats = stats_folder(statistics_, alerts_, setup_.driver);
    if (setup_.driver.meter) stats.entries.push_back(driver_folder(executor_, setup_.driver));
    top.entries.push_back(std::move(stats));
    top.entries.push_back({.name = kCache, .elsewhere = cache_.top()});
    for (const char* name : kKeyed)
      top.entries.push_back({.name = name, .elsewhere = keyed_.folder(name)});
    return top;
  }

  Place keyed_folders() {
    Place top;
    top.places.push_back(cache_side(
        {.counts = [this] { return cache_.counts(); },
         .key_changed =
             [this](const std::string& key) { cache_.changed({.all = false, .keys = {key}}); },
         .all_changed = [this] { cache_.changed({.all = true, .keys = {}}); },
         .settings_changed = [this] { cache_.store().settings_changed(); }}));
    top.places.push_back(flags());
    top.places.push_back(rate_limits());
    top.places.push_back(sessions());
    return top;
  }

  // The folder that holds the name.
  Ino side_of(Ino folder, std::string_view name) const {
    if (!name.starts_with('.') || folder != cache_.top().ino) return folder;
    const Ino side = keyed_.folder(kCache).ino;
    return keyed_.has_place(side, name) ? side : folder;
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
  mutable KeyedTree keyed_;
  mutable LiveTree live_;
};

}  // namespace

std::vector<std::string> sidecar_names() {
  std::vector<std::string> names(kKeyed.begin(), kKeyed.end());
  names.insert(names.begin(), kCache);
  names.push_back(kStats);
  return names;
}

std::unique_ptr<vfs::Vfs> sidecar(Executor& executor, SidecarSetup setup) {
  return std::make_unique<Sidecar>(executor, std::move(setup));
}

}  // namespace tusk::virt
