#include "cli/serving.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstring>
#include <mutex>

#include "cli/report.h"
#include "cli/secrets.h"
#include "cli/stop_signals.h"
#include "cli/verbs.h"
#include "tuskfs/base/fd.h"
#include "tuskfs/base/log.h"

namespace tusk::cli {
namespace {

// Mapped pages that a process has changed are still the kernel's: asks for them while we serve.
void write_back_mappings(const std::string& mountpoint) {
  const Fd root(::open(mountpoint.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (root) ::syncfs(root.get());
}

// Lets the signals' thread reach the session for as long as there is one.
class Stopper {
 public:
  explicit Stopper(fuse::Session& session) : session_(&session) {}
  void stop() {
    const std::scoped_lock lock(mutex_);
    if (session_ != nullptr) session_->stop();
  }
  void forget_session() {
    const std::scoped_lock lock(mutex_);
    session_ = nullptr;
  }

 private:
  std::mutex mutex_;
  fuse::Session* session_;  // guarded by mutex_
};

int serve(Served& served, const std::string& mountpoint, StopSignals& signals) {
  Stopper stopper(*served.session());
  signals.watch([&stopper, mountpoint] {
    log::info("told to stop: unmounting {}", mountpoint);
    // Bounded by the session's own waits: what it cannot write in db_timeout it refuses.
    write_back_mappings(mountpoint);
    stopper.stop();
  });
  const int ended = served.session()->run();
  const bool flushed = served.flush();
  stopper.forget_session();
  served.session().reset();  // frees a thread that still waits for an answer
  signals.end();
  log::info("unmounted {}", mountpoint);
  if (ended != 0) log::error("serving {} ended: {}", mountpoint, std::strerror(-ended));
  return ended == 0 && flushed ? kDone : kFailed;
}

}  // namespace

std::function<void()> restarting(const Database& database) {
  store::EmbeddedCluster* const cluster = database.cluster.get();
  if (cluster == nullptr) return {};
  return [cluster] {
    if (const auto running = cluster->ensure_running(); !running)
      log::warning("{}", one_line(running.error()));
  };
}

store::PostgresOptions store_options(const MountRequest& request, const Database& database) {
  store::PostgresOptions options;
  options.conninfo = database.conninfo;
  options.tenant = request.tenant;
  options.mountpoint = request.mountpoint;
  options.objects = request.objects;
  options.only_reads = request.read_only_standby;
  if (database.cluster) options.objects_default = database.cluster->data_dir() + "/objects";
  options.before_reconnect = restarting(database);
  return options;
}

fuse::MountOptions fuse_options(const MountRequest& request, const std::string& database) {
  fuse::MountOptions options;
  options.mountpoint = request.mountpoint;
  options.fuse_options = request.fuse_options;
  const std::string& name = request.fsname;
  if (!name.empty() && without_password(name, name) == name) {
    options.source = name;
  } else if (!request.source.embedded()) {
    options.source = database;
  }
  return options;
}

int drive_with(const MountRequest& request, Daemon& daemon,
               const std::function<Result<std::unique_ptr<Served>>()>& set_up) {
  auto signals = StopSignals::block(!daemon.detached());
  if (!signals) {
    daemon.failed(signals.error());
    return kFailed;
  }
  const auto served = set_up();
  if (!served) {
    daemon.failed(without_password(served.error(), request.source.database));
    return kFailed;
  }
  log::info("mounted {} on {}", (*served)->name(), request.mountpoint);
  daemon.ready();
  return serve(**served, request.mountpoint, *signals);
}

}  // namespace tusk::cli
