// From what was written to what is stored. While the database answers, a close is acknowledged from
// memory and values go to it together, the latest of each key; otherwise each close waits.
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>

#include "tuskfs/base/log.h"
#include "virtual/cache/cache_tree.h"

namespace tusk::virt {
namespace {

using vfs::Outcome;
using vfs::Reply;

// More than this is not acknowledged before it is stored.
constexpr std::size_t kMostComing = 1000, kMostComingBytes = 16u << 20;
// Between groups: what is closed meanwhile goes together. As late as the database may have it.
constexpr auto kApart = std::chrono::milliseconds(10);

// Threads of one program have numbers of their own. 0: of a namespace that is not seen from here.
bool is_same_program(pid_t one, pid_t other) {
  if (one == other || one == 0 || other == 0) return true;
  return ::access(fmt::format("/proc/{}/task/{}", one, other).c_str(), F_OK) == 0;
}

}  // namespace

int CacheTree::problem_of(const Open& open) {
  if (open.refused) return EFBIG;
  const auto lost = open.writes ? lost_.find(open.key) : lost_.end();
  if (lost == lost_.end()) return 0;
  const int why = lost->second;
  lost_.erase(lost);
  return why;
}

// A shell closes one handle of what it has yet to write to, and lets its children write to the
// other: the value is whole when nobody else has it open any more (release), or who opened it
// closes it with something in it.
void CacheTree::flush(const vfs::Call& call, Ino, Handle handle, Reply<void> reply) {
  const Open* open = find_open(handle);
  if (!open) return reply(vfs::error(EBADF));
  if (const int problem = problem_of(*open)) return reply(vfs::error(problem));
  if (!open->written || !is_same_program(open->opener, call.pid)) return reply({});
  commit(call, handle, std::move(reply));
}

void CacheTree::commit(const vfs::Call& call, Handle handle, Reply<void> reply) {
  Open* open = find_open(handle);
  if (!open) return reply(vfs::error(EBADF));
  if (!std::exchange(open->dirty, false)) return reply({});
  if (hears_ && !open->appends) return write_behind(*open, std::move(reply));
  commit_now(call, *open, std::move(reply));
}

void CacheTree::commit_now(const vfs::Call& call, Open& open, Reply<void> reply) {
  const std::string key = open.key;
  const Ino ino = open.ino;
  SharedBytes bytes = std::make_shared<const Buffer>(open.buffer);
  const bool keep_ttl = std::exchange(open.keep_ttl, true);
  if (open.appends) open.buffer.clear();
  store::CacheStore& cache = store();
  begin_question(key);
  auto done = [this, key, ino,
               held = waiting_.hold(call, std::move(reply))](Result<Found> found) mutable {
    const bool newest = end_question(key);
    if (!found || !*found) {
      log::error("the value of {} is not stored: {}", key,
                 found ? "there is none" : found.error().what);
      return held(vfs::error(found ? EIO : errno_of(found.error())));
    }
    Value* value = values_.find(ino);
    if (value && value->can_settle()) {
      values_.settle(*value, std::move(**found));
    } else {
      values_.settle(values_.make(key), std::move(**found));
      drop_name(key);
    }
    if (!newest) values_.forget_key(key);
    held({});
  };
  if (open.appends) return cache.append(key, std::move(bytes), std::move(done));
  cache.set(key, std::move(bytes), {.keep_ttl = keep_ttl}, std::move(done));
}

void CacheTree::write_behind(Open& open, Reply<void> reply) {
  const std::string& key = open.key;
  const bool keep_ttl = std::exchange(open.keep_ttl, true);
  store::CacheEntry entry{.key = key,
                          .size = open.buffer.size(),
                          .created_at = {executor_.wall_now().ns / 1000 * 1000},
                          .expires_at = {},
                          .bytes = std::make_shared<const Buffer>(open.buffer)};
  const Value* present = values_.current(key);
  if (keep_ttl && present) entry.expires_at = present->entry.expires_at;
  Coming coming{.bytes = entry.bytes, .keep_ttl = keep_ttl, .ino = open.ino};
  const bool is_unseen = present && present->lookups == 0;  // no name can lead to it
  Value* value = values_.find(open.ino);
  const bool again = value && value->was_written_by(open.opener);
  if (value) value->writer = open.opener;
  if (!value || !value->can_settle()) {
    value = &values_.make(key);
    value->writer = open.opener;
    coming.ino = value->ino;
    if (!is_unseen) drop_name(key);
  }
  value->is_rewritten = again;
  values_.settle(*value, std::move(entry));
  Coming& place = coming_[key];
  // A value set anew and then edited, all before it was sent, is set anew.
  coming.keep_ttl = coming.keep_ttl && (!place.bytes || place.keep_ttl);
  coming_bytes_ += coming.bytes->size();
  if (place.bytes) coming_bytes_ -= place.bytes->size();
  place = std::move(coming);
  const bool has_room = coming_.size() < kMostComing && coming_bytes_ < kMostComingBytes;
  has_room ? reply({}) : waiting_for_room_.push_back(std::move(reply));
  send_soon();
}

// A value that comes alone goes at once.
void CacheTree::send_soon() {
  if (coming_.empty() || sending_ > 0) return;
  const auto left = sent_at_ + kApart - executor_.now();
  if (left.count() <= 0 || !waiting_for_room_.empty()) return send_coming();
  if (std::exchange(is_gathering_, true)) return;
  executor_.after(left, [this] {
    is_gathering_ = false;
    send_soon();
  });
}

void CacheTree::send_coming() {
  if (coming_.empty()) return;
  sent_at_ = executor_.now();
  auto sent = std::exchange(coming_, {});
  coming_bytes_ = 0;
  sending_++;
  std::vector<store::CacheValue> values;
  for (const auto& [key, coming] : sent) {
    begin_question(key);
    sending_keys_[key]++;
    values.push_back({key, coming.bytes, coming.keep_ttl});
  }
  started().set_all(std::move(values), [this, sent = std::move(sent)](auto stored) {
    on_sent(sent, std::move(stored));
  });
}

void CacheTree::on_sent(const std::unordered_map<std::string, Coming>& sent,
                        Result<std::vector<store::CacheEntry>> stored) {
  sending_--;
  std::unordered_map<std::string_view, const store::CacheEntry*> entries;
  if (stored)
    for (const store::CacheEntry& entry : *stored) entries[entry.key] = &entry;
  for (const auto& [key, coming] : sent) {
    const bool newest = end_question(key);
    const auto entry = entries.find(key);
    if (entry != entries.end()) {
      note_stored(*entry->second, coming.ino, newest);
    } else if (stored) {
      note_lost(key, {EIO, "the database did not take it", {}});
    } else if (stored.error().code == ENOTCONN || sent.size() == 1) {
      note_lost(key, stored.error());
    } else {
      send_alone(key, coming);  // one that is refused must not take the others with it
    }
  }
  for (auto& reply : std::exchange(waiting_for_room_, {})) reply({});
  send_soon();
}

void CacheTree::send_alone(const std::string& key, const Coming& coming) {
  begin_question(key);
  started().set(key, coming.bytes, {.keep_ttl = coming.keep_ttl},
                [this, key, ino = coming.ino](Result<Found> found) {
                  const bool newest = end_question(key);
                  if (found && *found) return note_stored(**found, ino, newest);
                  note_lost(key, found ? Error{EIO, "there is none", {}} : found.error());
                });
}

void CacheTree::note_stored(const store::CacheEntry& entry, Ino ino, bool newest) {
  Value* value = values_.current(entry.key);
  if (value && value->ino == ino) {
    value->entry.created_at = entry.created_at;
    value->entry.expires_at = entry.expires_at;
    if (!newest) values_.forget_key(entry.key);
  }
  lost_.erase(entry.key);
  if (--sending_keys_[entry.key] > 0) return;
  sending_keys_.erase(entry.key);
  if (auto waiters = waiting_for_key_.extract(entry.key))
    for (auto& reply : waiters.mapped()) reply({});
}

// Who reads the key sees what the database has; who closes or syncs it next is told.
void CacheTree::note_lost(const std::string& key, const Error& why) {
  log::error("the value of {} is not stored: {}", key, why.what);
  values_.forget_key(key);
  drop_name(key);
  if (--sending_keys_[key] == 0) sending_keys_.erase(key);
  const int code = errno_of(why);
  if (auto waiters = waiting_for_key_.extract(key)) {
    for (auto& reply : waiters.mapped()) reply(vfs::error(code));
  } else {
    lost_[key] = code;
  }
}

void CacheTree::wait_for(const vfs::Call& call, const std::string& key, Reply<void> reply) {
  if (coming_.contains(key)) send_coming();
  if (!sending_keys_.contains(key)) return reply({});
  waiting_for_key_[key].push_back(waiting_.hold(call, std::move(reply)));
}

}  // namespace tusk::virt
