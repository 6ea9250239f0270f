#include "core/file_locks.h"

#include "core/asking.h"
#include "core/core.h"
#include "tuskfs/base/log.h"

namespace tusk::core {
namespace {

// Who lets go of a lock calls those who wait. A mount that dies does not.
constexpr auto kTryRefused = std::chrono::seconds(1);

store::FileLock stored(const vfs::Lock& lock) {
  return {.first = static_cast<std::int64_t>(lock.first),
          .last = static_cast<std::int64_t>(lock.last),
          .is_exclusive = lock.type == vfs::LockType::exclusive,
          .pid = lock.pid};
}

store::LockQuestion question_of(const Uuid& file, const vfs::Lock& wanted) {
  store::LockQuestion question{.file = file,
                               .is_range = wanted.owner.is_range,
                               .owner = static_cast<std::int64_t>(wanted.owner.id)};
  if (wanted.type != vfs::LockType::none) question.wanted = stored(wanted);
  return question;
}

}  // namespace

// Asked until it is answered, or for too long.
struct FileLocks::Asked {
  store::LockQuestion question;
  vfs::Reply<bool> reply;
  MonotonicTime deadline{};
};

bool FileLocks::is_needed() const { return !core_.presence.is_alone(); }

void FileLocks::ask(Question question, vfs::Reply<bool> reply) {
  const Node* const node = core_.table.find(question.ino);
  if (!node) return reply(true);
  auto asked =
      std::make_shared<Asked>(Asked{question_of(node->id, question.wanted), std::move(reply),
                                    core_.executor.now() + core_.options.db_timeout});
  asked->question.waits = question.waits;
  for (const vfs::Lock& lock : question.then) asked->question.then.push_back(stored(lock));
  ask(asked);
}

void FileLocks::ask(const std::shared_ptr<Asked>& asked) {
  core_.store.set_locks(asked->question, [this, asked](Result<bool> given) {
    const bool is_late = core_.executor.now() > asked->deadline;
    if (!is_late && asked_again(core_, given, [this, asked] { ask(asked); })) return;
    if (!given) {
      log::error("a lock cannot be agreed with other mounts: {}", given.error().what);
      return asked->reply(vfs::error(EIO));
    }
    if (!*given && asked->question.waits) try_refused_later();
    asked->reply(*given);
  });
}

void FileLocks::find(Ino ino, const vfs::Lock& wanted, vfs::Reply<std::optional<vfs::Lock>> reply) {
  const Node* const node = core_.table.find(ino);
  if (!node) return reply(std::nullopt);
  core_.store.find_lock(
      question_of(node->id, wanted),
      [wanted, reply = std::move(reply)](Result<std::optional<store::FileLock>> found) mutable {
        if (!found) return reply(vfs::error(EIO));
        if (!*found) return reply(std::nullopt);
        const store::FileLock& lock = **found;
        reply(
            vfs::Lock{.owner = {.is_range = wanted.owner.is_range},
                      .type = lock.is_exclusive ? vfs::LockType::exclusive : vfs::LockType::shared,
                      .first = static_cast<std::uint64_t>(lock.first),
                      .last = static_cast<std::uint64_t>(lock.last)});
      });
}

void FileLocks::try_refused_later() {
  if (std::exchange(is_trying_, true)) return;
  core_.executor.after(kTryRefused, [this] {
    is_trying_ = false;
    local_.try_refused();
  });
}

void FileLocks::freed(const std::optional<Uuid>& file) {
  if (!file) return local_.try_refused();
  if (const Node* const node = core_.table.find(*file)) local_.freed_elsewhere(node->ino);
}

void FileLocks::restate(vfs::Wake done) {
  const auto lost = [this](Ino ino, const vfs::Lock& lock) {
    const Node* const node = core_.table.find(ino);
    log::error("process {} has lost its lock of {}: another mount took it while this one was away",
               lock.pid, node ? node->id.text() : "a file");
  };
  local_.restate(lost, std::move(done));
}

}  // namespace tusk::core
