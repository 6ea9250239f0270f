#include "virtual/cache/cache_tree.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>

#include "tuskfs/base/log.h"
#include "virtual/cache/names.h"

namespace tusk::virt {
namespace {

using vfs::Outcome;
using vfs::Reply;

constexpr auto kSweep = std::chrono::seconds(10);
constexpr auto kPromised = std::chrono::seconds(5);

// As long as the kernel believes a name.
constexpr std::int64_t kBriefly = 1'000'000'000;

}  // namespace

CacheTree::CacheTree(Executor& executor, Start start, Ino first, uid_t owner, gid_t group)
    : ReadOnly(EPERM),
      executor_(executor),
      start_(std::move(start)),
      top_(first),
      owner_(owner),
      group_(group),
      born_(executor.wall_now()),
      values_(executor, static_cast<std::uint64_t>(first),
              [this](const std::string& key) { outdate(key); }) {}

CacheTree::~CacheTree() {
  if (!store_) return;
  send_coming();
  store_->drain();
}

store::CacheStore& CacheTree::store() {
  send_coming();
  return started();
}

store::CacheStore& CacheTree::started() {
  if (!store_) {
    store_ = start_({.changed = [this](const store::CacheChange& change) { changed(change); },
                     .hears = [this](bool now) { hears(now); }});
    executor_.after(kSweep, [this] { sweep(); });
  }
  return *store_;
}

// Where several mounts do this, each finds less to do.
void CacheTree::sweep() {
  started().sweep([this](Result<bool> has_more) {
    if (has_more && *has_more) return sweep();
    executor_.after(kSweep, [this] { sweep(); });
  });
}

void CacheTree::changed(const store::CacheChange& change) {
  if (change.all) {
    for (auto& [key, asked] : asked_) asked.overtaken = true;
    values_.forget_all_keys();
    return;
  }
  for (const std::string& key : change.keys) {
    if (const auto asked = asked_.find(key); asked != asked_.end()) asked->second.overtaken = true;
    values_.forget_key(key);
    drop_name(key);
  }
}

// What happened while nobody listened is not known.
void CacheTree::hears(bool hears) {
  hears_ = hears;
  if (hears) changed({.all = true, .keys = {}});
}

void CacheTree::drop_name(const std::string& key) {
  if (kernel_cache_) kernel_cache_->drop_entry(top_, shown_name_of_key(key));
}

std::string CacheTree::counts() const {
  return fmt::format("hits {}\nmisses {}\n", hits_, misses_);
}

vfs::Attr CacheTree::top() const {
  vfs::Attr attr;
  attr.ino = top_;
  attr.mode = S_IFDIR | 0755;
  attr.nlink = 2;
  attr.uid = owner_;
  attr.gid = group_;
  attr.size = 4096;
  attr.atime = attr.mtime = attr.ctime = born_;
  return attr;
}

const Value& CacheTree::shown_as(const Value& value) {
  if (!value.is_coming() || value.is_in_use()) return value;
  const Value* present = values_.current(value.entry.key);
  return present ? *present : value;
}

// A value never changes; which value a name has may, and is asked again after a moment.
vfs::Attr CacheTree::attr_of(const Value& value) {
  const store::CacheEntry& entry = shown_as(value).entry;
  vfs::Attr attr;
  attr.ino = value.ino;
  attr.mode = S_IFREG | 0644;
  attr.nlink = 1;
  attr.uid = owner_;
  attr.gid = group_;
  attr.size = entry.size;
  attr.blocks = (attr.size + 511) / 512;
  attr.atime = attr.mtime = attr.ctime = entry.created_at;
  attr.valid = value.is_coming() ? vfs::Valid::never : vfs::Valid::lasting;
  // For the one who looks it up, to write to it next.
  if (value.is_lasting && !value.is_in_use()) attr.valid = vfs::Valid::briefly;
  const auto& end = entry.expires_at;
  const bool ends_soon = end && end->ns - executor_.wall_now().ns < kBriefly;
  const bool is_steady = hears_ && !value.is_coming() && !ends_soon;
  attr.name_valid = is_steady ? vfs::Valid::briefly : vfs::Valid::never;
  return attr;
}

vfs::Entry CacheTree::counted(Value& value) {
  value.lookups++;
  return {attr_of(value)};
}

CacheTree::Open* CacheTree::find_open(Handle handle) {
  const auto found = open_.find(static_cast<std::uint64_t>(handle));
  return found == open_.end() ? nullptr : &found->second;
}

Handle CacheTree::add(Open open) {
  if (Value* value = values_.find(open.ino)) value->opens++;
  open_.emplace(++last_handle_, std::move(open));
  return Handle{last_handle_};
}

// Whether the answer is as new as anything that is known.
bool CacheTree::end_question(const std::string& key) {
  const auto asked = asked_.find(key);
  const bool overtaken = asked->second.overtaken;
  if (--asked->second.count == 0) asked_.erase(asked);
  return !overtaken;
}

void CacheTree::ask(const std::string& key, Question question, Reply<Value*> done) {
  begin_question(key);
  question([this, key, done = std::move(done)](Result<Found> found) mutable {
    const bool is_newest = end_question(key);
    if (!found) return done(vfs::error(errno_of(found.error())));
    if (!*found) {
      values_.forget_key(key);
      return done(nullptr);
    }
    Value& value = values_.install(std::move(**found));
    done(&value);
    // It was so a moment ago, and may be shown once.
    if (!is_newest) values_.forget_key(key);
  });
}

void CacheTree::ask_entry(const std::string& key, bool with_bytes, Reply<Value*> done) {
  ask(
      key,
      [this, key, with_bytes](auto callback) {
        with_bytes ? store().get(key, std::move(callback)) : store().find(key, std::move(callback));
      },
      std::move(done));
}

void CacheTree::forget(Ino ino, std::uint64_t count) {
  Value* value = values_.find(ino);
  if (!value) return;
  value->lookups -= std::min(value->lookups, count);
  values_.release(*value);
}

void CacheTree::getattr(const vfs::Call&, Ino ino, Reply<vfs::Attr> reply) {
  if (is_top(ino)) return reply(top());
  const Value* value = values_.find(ino);
  if (!value) return reply(vfs::error(ESTALE));
  vfs::Attr attr = attr_of(*value);
  // A file that is being made is as long as what was written to it.
  if (value->is_coming()) {
    for (const auto& [handle, open] : open_)
      if (open.ino == ino && open.writes) attr.size = open.buffer.size();
  }
  reply(attr);
}

void CacheTree::setattr(const vfs::Call& call, Ino ino, const vfs::AttrChange& change,
                        Reply<vfs::Attr> reply) {
  Value* value = values_.find(ino);
  if (!value || change.mode || change.uid || change.gid) return reply(vfs::error(EPERM));
  if (change.size) return resize(call, *value, *change.size, std::move(reply));
  if (!change.mtime || *change.mtime == vfs::kNow) return reply(attr_of(*value));
  if (*change.mtime <= executor_.wall_now()) return reply(vfs::error(EINVAL));
  expire(call, *value, *change.mtime,
         [this, ino, reply = std::move(reply)](Outcome<void> done) mutable {
           const Value* still = values_.find(ino);
           if (!done) return reply(std::unexpected(done.error()));
           still ? reply(attr_of(*still)) : reply(vfs::error(ESTALE));
         });
}

void CacheTree::resize(const vfs::Call& call, Value& value, std::uint64_t size,
                       Reply<vfs::Attr> reply) {
  if (size > started().limit()) return reply(vfs::error(EFBIG));
  if (!value.is_coming()) return send_to_writers(call, value, std::move(reply));
  for (auto& [handle, open] : open_) {
    if (open.ino != value.ino || !open.writes) continue;
    open.buffer.resize(size, 0);
    open.dirty = open.written = true;
    vfs::Attr attr = attr_of(value);
    attr.size = size;
    attr.valid = vfs::Valid::never;
    return reply(attr);
  }
  open_writer(call, value, O_WRONLY,
              [this, call, size, ino = value.ino,
               reply = std::move(reply)](Outcome<vfs::Opened> opened) mutable {
                if (!opened) return reply(std::unexpected(opened.error()));
                Open& open = *find_open(opened->handle);
                open.buffer.resize(size, 0);
                open.dirty = true;
                commit(call, opened->handle,
                       [this, ino, size, handle = opened->handle,
                        reply = std::move(reply)](Outcome<void> done) mutable {
                         release(ino, handle);
                         if (!done) return reply(std::unexpected(done.error()));
                         const Value* old = values_.find(ino);
                         if (!old) return reply(vfs::error(ESTALE));
                         vfs::Attr attr = attr_of(*old);
                         attr.size = size;
                         attr.valid = vfs::Valid::never;
                         reply(attr);
                       });
              });
}

// On its way it looks up and forgets the inode once.
void CacheTree::promise(Value& value, pid_t writer) {
  value.promised.insert(writer);
  value.promised_at = executor_.now();
  executor_.after(kPromised, [this, ino = value.ino] {
    Value* still = values_.find(ino);
    if (!still || executor_.now() - still->promised_at < kPromised) return;
    still->promised.clear();
    values_.end_writers(*still);
    values_.release(*still);
  });
}

void CacheTree::read(const vfs::Call&, Ino, Handle handle, std::uint64_t offset, std::size_t size,
                     Reply<vfs::Content> reply) {
  const Open* open = find_open(handle);
  if (!open) return reply(vfs::error(EBADF));
  const ByteSpan all = open->writes ? ByteSpan(open->buffer) : ByteSpan(*open->bytes);
  const std::size_t from = std::min<std::size_t>(offset, all.size());
  const ByteSpan part = all.subspan(from, std::min(size, all.size() - from));
  reply(vfs::Content{{part}, part.size()});
}

void CacheTree::write(const vfs::Call&, Ino, Handle handle, std::uint64_t offset, ByteSpan data,
                      Reply<std::size_t> reply) {
  Open* open = find_open(handle);
  if (!open || !open->writes) return reply(vfs::error(EBADF));
  Buffer& buffer = open->buffer;
  const std::uint64_t at = open->appends ? buffer.size() : offset;
  if (at + data.size() > started().limit()) {
    open->refused = true;
    return reply(vfs::error(EFBIG));
  }
  if (buffer.size() < at) buffer.resize(at, 0);
  if (buffer.size() < at + data.size()) buffer.resize(at + data.size());
  std::ranges::copy(data, buffer.begin() + static_cast<std::ptrdiff_t>(at));
  open->dirty = open->written = true;
  reply(data.size());
}

void CacheTree::fsync(const vfs::Call& call, Ino, Handle handle, Reply<void> reply) {
  const Open* open = find_open(handle);
  if (!open) return reply(vfs::error(EBADF));
  if (const int problem = problem_of(*open)) return reply(vfs::error(problem));
  commit(call, handle,
         [this, call, key = open->key,
          held = waiting_.hold(call, std::move(reply))](Outcome<void> done) mutable {
           if (!done) return held(std::move(done));
           wait_for(call, key, std::move(held));
         });
}

void CacheTree::release(Ino, Handle handle) {
  const auto found = open_.find(static_cast<std::uint64_t>(handle));
  if (found == open_.end()) return;
  const Ino ino = found->second.ino;
  // Nobody flushed what a killed process had written, or it was not complete: now it is.
  if (found->second.dirty && !found->second.refused) commit({}, handle, [](Outcome<void>) {});
  open_.erase(found);
  Value* value = values_.find(ino);
  if (!value) return;
  value->opens--;
  values_.end_writers(*value);
  values_.release(*value);
}

}  // namespace tusk::virt
