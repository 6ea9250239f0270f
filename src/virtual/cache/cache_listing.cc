// ls of cache/: a page of keys after the other, so that a million of them need no memory.
#include <sys/stat.h>

#include "virtual/cache/cache_tree.h"
#include "virtual/cache/names.h"

namespace tusk::virt {
namespace {

using vfs::Reply;

constexpr int kPageKeys = 1000;
// Offsets of a listing: 1 after ".", 2 after "..", then 3 + the key's number.
constexpr std::uint64_t kDots = 2;

}  // namespace

void CacheTree::opendir(const vfs::Call&, Ino ino, Reply<vfs::Opened> reply) {
  if (!is_top(ino)) return reply(vfs::error(ENOTDIR));
  listings_.emplace(++last_handle_, Listing{});
  reply(vfs::Opened{.handle = Handle{last_handle_}, .lasting = false});
}

void CacheTree::answer_page(const Listing& listing, std::uint64_t offset, std::size_t limit,
                            Reply<std::vector<vfs::DirEntry>>& reply) const {
  std::vector<vfs::DirEntry> out;
  std::vector<std::string> names;  // that the entries point into
  names.reserve(listing.page.size());
  const auto add_entry = [&](std::string_view name, std::uint64_t next, mode_t mode) {
    vfs::Attr attr;
    attr.ino = top_;  // the kernel asks by name
    attr.mode = mode;
    if (offset < next && out.size() < limit) out.push_back({name, next, attr, false});
  };
  add_entry(".", 1, S_IFDIR);
  add_entry("..", 2, S_IFDIR);
  for (std::size_t i = 0; i < listing.page.size(); i++) {
    auto name = name_of_key(listing.page[i].key);
    if (!name) continue;  // a key that no name can hold
    names.push_back(std::move(*name));
    add_entry(names.back(), listing.first + i + 1 + kDots, S_IFREG);
  }
  reply(std::move(out));
}

void CacheTree::readdir(const vfs::Call& call, Ino, Handle handle, std::uint64_t offset,
                        std::size_t limit, bool, Reply<std::vector<vfs::DirEntry>> reply) {
  const auto found = listings_.find(static_cast<std::uint64_t>(handle));
  if (found == listings_.end()) return reply(vfs::error(EBADF));
  Listing& listing = found->second;
  const std::uint64_t number = offset > kDots ? offset - kDots : 0;
  // From the start again, or from before what is at hand.
  if (offset == 0 || number < listing.first) listing = Listing{};
  next_page(call, handle, offset, limit, std::move(reply));
}

// Goes on until the page has what is asked for.
void CacheTree::next_page(const vfs::Call& call, Handle handle, std::uint64_t offset,
                          std::size_t limit, Reply<std::vector<vfs::DirEntry>> reply) {
  const auto found = listings_.find(static_cast<std::uint64_t>(handle));
  if (found == listings_.end()) return reply(vfs::error(EBADF));
  const Listing& listing = found->second;
  const std::uint64_t number = offset > kDots ? offset - kDots : 0;
  const bool has_it = number < listing.first + listing.page.size();
  if (has_it || listing.ended) return answer_page(listing, offset, limit, reply);
  store().scan(listing.after, kPageKeys,
               [this, call, handle, offset, limit, held = waiting_.hold(call, std::move(reply))](
                   Result<std::vector<store::CacheEntry>> page) mutable {
                 if (!page) return held(vfs::error(errno_of(page.error())));
                 const auto still = listings_.find(static_cast<std::uint64_t>(handle));
                 if (still == listings_.end()) return held(vfs::error(EBADF));
                 Listing& into = still->second;
                 into.first += into.page.size();
                 into.ended = page->size() < kPageKeys;
                 if (!page->empty()) into.after = page->back().key;
                 into.page = std::move(*page);
                 next_page(call, handle, offset, limit, std::move(held));
               });
}

void CacheTree::releasedir(Ino, Handle handle) {
  listings_.erase(static_cast<std::uint64_t>(handle));
}

}  // namespace tusk::virt
