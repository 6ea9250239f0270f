#include "file_locks.h"

namespace tusk::store {
namespace {

Params who_and_what(const MountId& mount, const LockQuestion& question) {
  return Params().add(mount.tenant).add(mount.epoch).add(question.file).add(question.is_range);
}

}  // namespace

Result<bool> set_locks(Loader& loader, const MountId& mount, const LockQuestion& question) {
  BinaryArray firsts(ElementType::int8), lasts(ElementType::int8), pids(ElementType::int8);
  BinaryArray exclusives(ElementType::boolean);
  for (const FileLock& lock : question.then) {
    firsts.add(lock.first);
    lasts.add(lock.last);
    exclusives.add(lock.is_exclusive);
    pids.add(lock.pid);
  }
  const FileLock wanted = question.wanted.value_or(FileLock{});
  Params params = who_and_what(mount, question);
  params.add(question.owner)
      .add(question.wanted.has_value())
      .add(wanted.first)
      .add(wanted.last)
      .add(wanted.is_exclusive)
      .add(question.waits)
      .add_view(firsts.finish())
      .add_view(lasts.finish())
      .add_view(exclusives.finish())
      .add_view(pids.finish());
  TRY_ASSIGN(const auto answers, loader.ask({{"set_locks", params}}));
  return answers[0].row(0).boolean(0);
}

Result<std::optional<FileLock>> find_lock(Loader& loader, const MountId& mount,
                                          const LockQuestion& question) {
  const FileLock wanted = question.wanted.value_or(FileLock{});
  const Params params =
      who_and_what(mount, question).add(wanted.first).add(wanted.last).add(wanted.is_exclusive);
  TRY_ASSIGN(const auto answers, loader.ask({{"blocking_lock", params}}));
  if (answers[0].rows() == 0) return std::nullopt;
  const Row row = answers[0].row(0);
  return FileLock{row.integer(0), row.integer(1), row.boolean(2), row.integer(3)};
}

}  // namespace tusk::store
