#include "janitor.h"

#include "object_collector.h"
#include "session.h"
#include "tuskfs/base/log.h"

namespace tusk::store {
namespace {

// Between two batches, so that whoever waits for the same rows or the processor gets a turn.
constexpr std::chrono::milliseconds kBreath{20};
// A mount that has a file open needs a moment to say so once another one has removed it.
constexpr std::int64_t kOrphanGraceSeconds = 60;

}  // namespace

Janitor::Janitor(ConnectionContext& context, TenantId tenant, objects::StoredObjects* objects,
                 Plan plan)
    : context_(context),
      tenant_(tenant),
      objects_(objects),
      plan_(plan),
      thread_([this](const std::stop_token& stop) { run(stop); }) {
  pthread_setname_np(thread_.native_handle(), "tusk-janitor");
}

void Janitor::run(const std::stop_token& stop) {
  for (auto time = plan_.first_after; pause(stop, time); time = plan_.every) {
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
  const Params of_tree = Params().add(tenant_);
  (void)(*connection)->run("note_absent_mounts", of_tree);
  (void)(*connection)->run("purge_orphans", Params().add(tenant_).add(kOrphanGraceSeconds));
  if (collect_rows(**connection, stop) && objects_) collect_objects_of(**connection, stop);
  prune_changes(**connection, stop);
}

// Of SQL clients that wrote while nothing was mounted, above all.
void Janitor::prune_changes(Connection& connection, const std::stop_token& stop) {
  while (pause(stop, kBreath)) {
    const auto pruned = connection.run("prune_changes");
    if (!pruned || pruned->touched() == 0) return;
  }
}

bool Janitor::collect_rows(Connection& connection, const std::stop_token& stop) {
  std::int64_t files = 0, folders = 0, versions = 0;
  do {
    const auto done = connection.run("collect_garbage", Params().add(tenant_));
    if (!done) {
      if (!done.error().lost) log::warning("cannot clean up history: {}", done.error().text());
      return false;
    }
    const Row row = done->row(0);
    files += row.integer(0);
    folders += row.integer(1);
    versions += row.integer(2);
    // Folders that went may have been all that others held.
    if (!row.boolean(3) && row.integer(1) == 0) break;
  } while (pause(stop, kBreath));
  if (files + folders + versions > 0) {
    log::info("history: {} files, {} folders and {} versions are past their time and gone", files,
              folders, versions);
  }
  return true;
}

void Janitor::collect_objects_of(Connection& connection, const std::stop_token& stop) {
  const auto removed = collect_objects(connection, *objects_, tenant_, plan_.object_grace,
                                       [&stop] { return !stop.stop_requested(); });
  if (!removed) return log::warning("cannot remove objects: {}", removed.error().what);
  if (*removed > 0) log::info("{} objects that nothing refers to are gone", *removed);
}

// False: time to end.
bool Janitor::pause(const std::stop_token& stop, std::chrono::milliseconds time) {
  std::unique_lock lock(mutex_);
  stopped_.wait_for(lock, stop, time, [] { return false; });
  return !stop.stop_requested();
}

}  // namespace tusk::store
