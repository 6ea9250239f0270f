#include "janitor.h"

#include "session.h"
#include "tuskfs/base/log.h"

namespace tusk::store {
namespace {

// Between two batches, so that whoever waits for the same rows or the processor gets a turn.
constexpr std::chrono::milliseconds kBreath{20};

}  // namespace

Janitor::Janitor(ConnectionContext& context, TenantId tenant, std::chrono::milliseconds first_after,
                 std::chrono::milliseconds every)
    : context_(context),
      tenant_(tenant),
      first_after_(first_after),
      every_(every),
      thread_([this](const std::stop_token& stop) { run(stop); }) {
  pthread_setname_np(thread_.native_handle(), "tusk-janitor");
}

void Janitor::run(const std::stop_token& stop) {
  for (auto time = first_after_; pause(stop, time); time = every_) {
    try {
      collect(stop);
    } catch (const std::exception& e) {
      log::warning("cannot clean up history: {}", e.what());
    }
  }
}

// A connection of its own, and only while there is work: it runs seldom.
void Janitor::collect(const std::stop_token& stop) {
  auto connection = open_session(context_);
  if (!connection) return;  // the server is away; those who need it say so
  std::int64_t files = 0, folders = 0, versions = 0;
  do {
    const auto done = (*connection)->run("collect_garbage", Params().add(tenant_));
    if (!done) {
      if (!done.error().lost) log::warning("cannot clean up history: {}", done.error().text());
      return;
    }
    const Row row = done->row(0);
    files += row.integer(0);
    folders += row.integer(1);
    versions += row.integer(2);
    if (!row.boolean(3)) break;
  } while (pause(stop, kBreath));
  if (files + folders + versions > 0) {
    log::info("history: {} files, {} folders and {} versions are past their time and gone", files,
              folders, versions);
  }
}

// False: time to end.
bool Janitor::pause(const std::stop_token& stop, std::chrono::milliseconds time) {
  std::unique_lock lock(mutex_);
  stopped_.wait_for(lock, stop, time, [] { return false; });
  return !stop.stop_requested();
}

}  // namespace tusk::store
