// ls of cache/: a page of keys after the other, so that a million of them need no memory.
#include <sys/stat.h>

#include "virtual/cache/cache_tree.h"
#include "virtual/cache/names.h"

namespace tusk::virt {
namespace {

using vfs::Reply;

constexpr int kPageKeys = 1000;
// Offsets of a listing: 1 after ".", 2 after "..", then 3 + the name's number.
constexpr std::uint64_t kDots = 2;

// But for keys that no name can hold.
std::vector<std::string> names_of(const std::vector<store::CacheEntry>& entries) {
  std::vector<std::string> names;
  for (const store::CacheEntry& entry : entries)
    if (auto name = name_of_key(entry.key)) names.push_back(std::move(*name));
  return names;
}

}  // namespace

void CacheTree::opendir(const vfs::Call&, Ino ino, Reply<vfs::Opened> reply) {
  if (!is_top(ino)) return reply(vfs::error(ENOTDIR));
  listings_.emplace(++last_handle_, Listing{});
  reply(vfs::Opened{.handle = Handle{last_handle_}, .lasting = false});
}

void CacheTree::answer_page(const Listing& listing, std::uint64_t offset, std::size_t limit,
                            Reply<std::vector<vfs::DirEntry>>& reply) const {
  std::vector<vfs::DirEntry> out;
  const auto add_entry = [&](std::string_view name, std::uint64_t next, mode_t mode) {
    vfs::Attr attr;
    attr.ino = top_;  // the kernel asks by name
    attr.mode = mode;
    if (offset < next && out.size() < limit) out.push_back({name, next, attr, false});
  };
  add_entry(".", 1, S_IFDIR);
  add_entry("..", 2, S_IFDIR);
  for (std::size_t i = 0; i < listing.names.size(); i++)
    add_entry(listing.names[i], listing.first + i + 1 + kDots, S_IFREG);
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
  const bool has_it = number < listing.first + listing.names.size();
  if (has_it || listing.ended) return answer_page(listing, offset, limit, reply);
  store().scan(listing.after, kPageKeys,
               [this, call, handle, offset, limit, held = waiting_.hold(call, std::move(reply))](
                   Result<std::vector<store::CacheEntry>> page) mutable {
                 if (!page) return held(vfs::error(errno_of(page.error())));
                 const auto still = listings_.find(static_cast<std::uint64_t>(handle));
                 if (still == listings_.end()) return held(vfs::error(EBADF));
                 Listing& into = still->second;
                 into.first += into.names.size();
                 into.ended = page->size() < kPageKeys;
                 if (!page->empty()) into.after = page->back().key;
                 into.names = names_of(*page);
                 next_page(call, handle, offset, limit, std::move(held));
               });
}

void CacheTree::releasedir(Ino, Handle handle) {
  listings_.erase(static_cast<std::uint64_t>(handle));
}

}  // namespace tusk::virt
