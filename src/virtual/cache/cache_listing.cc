// ls of cache/: a page of keys after the other, so that a million of them need no memory.
#include <sys/stat.h>

#include <algorithm>

#include "virtual/cache/cache_tree.h"
#include "virtual/cache/names.h"

namespace tusk::virt {
namespace {

using vfs::Reply;

constexpr std::size_t kPageKeys = 1000;
// Offsets of a listing: 1 after ".", 2 after "..", then 3 + the name's number.
constexpr std::uint64_t kDots = 2;

}  // namespace

void CacheTree::Listing::outdate(const std::string& key) {
  if (asks) changed.push_back(changed.size() < kPageKeys ? key : std::string());
  if (key.empty()) {
    for (Listed& listed : page) listed.is_outdated = true;
    return;
  }
  const auto at =
      std::ranges::lower_bound(page, key, {}, [](const Listed& each) { return each.entry.key; });
  if (at != page.end() && at->entry.key == key) at->is_outdated = true;
}

void CacheTree::Listing::take(std::vector<store::CacheEntry> entries) {
  first += page.size();
  page.clear();
  ended = entries.size() < kPageKeys;
  if (!entries.empty()) after = entries.back().key;
  for (store::CacheEntry& entry : entries) {
    std::string name = shown_name_of_key(entry.key);
    page.push_back({std::move(entry), std::move(name)});
  }
  asks = false;
  for (const std::string& key : std::exchange(changed, {})) outdate(key);
}

void CacheTree::outdate(const std::string& key) {
  for (auto& [handle, listing] : listings_) listing.outdate(key);
}

void CacheTree::opendir(const vfs::Call&, Ino ino, Reply<vfs::Opened> reply) {
  if (!is_top(ino)) return reply(vfs::error(ENOTDIR));
  listings_.emplace(++last_handle_, Listing{});
  reply(vfs::Opened{.handle = Handle{last_handle_}, .lasting = false});
}

// What is known of a listed key without asking for it; null: nothing that holds.
Value* CacheTree::listed_value(const Listed& listed) {
  const std::string& key = listed.entry.key;
  if (!hears_ || values_.being_written(key)) return nullptr;
  if (Value* value = values_.current(key)) return value;
  return listed.is_outdated ? nullptr : &values_.install(listed.entry);
}

// Where the kernel wants all of each name, it is told what came with the keys, and asks no more.
void CacheTree::answer_page(const Listing& listing, std::uint64_t offset, std::size_t limit,
                            bool plus, Reply<std::vector<vfs::DirEntry>>& reply) {
  std::vector<vfs::DirEntry> out;
  const auto has_room = [&](std::uint64_t next) { return offset < next && out.size() < limit; };
  const auto add_plain = [&](std::string_view name, std::uint64_t next, mode_t mode) {
    vfs::Attr attr;
    attr.ino = top_;  // the kernel asks by name
    attr.mode = mode;
    if (has_room(next)) out.push_back({name, next, attr, false});
  };
  add_plain(".", 1, S_IFDIR);
  add_plain("..", 2, S_IFDIR);
  std::uint64_t next = listing.first + kDots;
  for (const Listed& listed : listing.page) {
    next++;
    Value* value = plus && has_room(next) ? listed_value(listed) : nullptr;
    if (value) {
      out.push_back({listed.name, next, counted(*value).attr, true});
    } else {
      add_plain(listed.name, next, S_IFREG);
    }
  }
  reply(std::move(out));
}

void CacheTree::readdir(const vfs::Call& call, Ino, Handle handle, std::uint64_t offset,
                        std::size_t limit, bool plus, Reply<std::vector<vfs::DirEntry>> reply) {
  const auto found = listings_.find(static_cast<std::uint64_t>(handle));
  if (found == listings_.end()) return reply(vfs::error(EBADF));
  Listing& listing = found->second;
  const std::uint64_t number = offset > kDots ? offset - kDots : 0;
  // From the start again, or from before what is at hand.
  if (offset == 0 || number < listing.first) listing = Listing{};
  next_page(call, handle, offset, limit, plus, std::move(reply));
}

// Goes on until the page has what is asked for.
void CacheTree::next_page(const vfs::Call& call, Handle handle, std::uint64_t offset,
                          std::size_t limit, bool plus, Reply<std::vector<vfs::DirEntry>> reply) {
  const auto found = listings_.find(static_cast<std::uint64_t>(handle));
  if (found == listings_.end()) return reply(vfs::error(EBADF));
  Listing& listing = found->second;
  const std::uint64_t number = offset > kDots ? offset - kDots : 0;
  const bool has_it = number < listing.first + listing.page.size();
  if (has_it || listing.ended) return answer_page(listing, offset, limit, plus, reply);
  store::CacheStore& cache = store();
  listing.asks = true;
  listing.changed.clear();
  cache.scan(
      listing.after, kPageKeys,
      [this, call, handle, offset, limit, plus, held = waiting_.hold(call, std::move(reply))](
          Result<std::vector<store::CacheEntry>> page) mutable {
        if (!page) return held(vfs::error(errno_of(page.error())));
        const auto still = listings_.find(static_cast<std::uint64_t>(handle));
        if (still == listings_.end()) return held(vfs::error(EBADF));
        still->second.take(std::move(*page));
        next_page(call, handle, offset, limit, plus, std::move(held));
      });
}

void CacheTree::releasedir(Ino, Handle handle) {
  listings_.erase(static_cast<std::uint64_t>(handle));
}

}  // namespace tusk::virt
