// ls of a keyed folder: its fixed files, then a page of keys after the other, each one statement.
#include "virtual/keyed/keyed_tree.h"
#include "virtual/keyed/names.h"
#include "virtual/keyed/texts.h"

namespace tusk::virt {
namespace {

using vfs::Reply;

constexpr std::size_t kPageKeys = 1000;
constexpr std::uint64_t kDots = 2;

std::vector<const Place*> fixed_in(const Place& folder) {
  std::vector<const Place*> out;
  for (const Place& place : folder.places)
    if (place.is_listed()) out.push_back(&place);
  return out;
}

}  // namespace

// Also root does not list what cannot be listed.
void KeyedTree::opendir(const vfs::Call&, Ino ino, Reply<vfs::Opened> reply) {
  const KeyedNode* node = nodes_.find(ino);
  if (!node) return reply(vfs::error(ESTALE));
  if (!node->spot.place->is_folder()) return reply(vfs::error(ENOTDIR));
  if ((node->spot.place->mode & 0444) == 0) return reply(vfs::error(EACCES));
  Listing listing{.folder = node->spot, .ino = ino};
  listings_.emplace(++last_handle_, std::move(listing));
  reply(vfs::Opened{.handle = Handle{last_handle_}, .lasting = false});
}

// Offsets: 1 after ".", 2 after "..", then the fixed names, then 1 + the key's number.
void KeyedTree::readdir(const vfs::Call& call, Ino, Handle handle, std::uint64_t offset,
                        std::size_t limit, bool plus, Reply<std::vector<vfs::DirEntry>> reply) {
  const auto found = listings_.find(static_cast<std::uint64_t>(handle));
  if (found == listings_.end()) return reply(vfs::error(EBADF));
  Listing& listing = found->second;
  const std::uint64_t before = kDots + fixed_in(*listing.folder.place).size();
  // From the start again, or from before what is at hand.
  if (offset == 0 || (offset > before && offset - before < listing.first))
    listing = Listing{.folder = listing.folder, .ino = listing.ino};
  next_page(call, handle, offset, limit, plus, std::move(reply));
}

void KeyedTree::next_page(const vfs::Call& call, Handle handle, std::uint64_t offset,
                          std::size_t limit, bool plus, Reply<std::vector<vfs::DirEntry>> reply) {
  const auto found = listings_.find(static_cast<std::uint64_t>(handle));
  if (found == listings_.end()) return reply(vfs::error(EBADF));
  const Listing& listing = found->second;
  const Place& folder = *listing.folder.place;
  const std::uint64_t before = kDots + fixed_in(folder).size();
  const std::uint64_t number = offset > before ? offset - before : 0;
  const bool has_it = number < listing.first + listing.page.size();
  if (has_it || listing.ended || folder.list.empty())
    return answer_page(listing, offset, limit, plus, reply);
  store::KeyedQuestion question{folder.list, listing.folder.keys};
  question.params.push_back(listing.after);
  question.params.push_back(std::to_string(kPageKeys));
  ask(std::move(question), [this, call, handle, offset, limit, plus,
                            held = waiting_.hold(call, std::move(reply))](auto rows) mutable {
    if (!rows) return held(std::unexpected(rows.error()));
    const auto still = listings_.find(static_cast<std::uint64_t>(handle));
    if (still == listings_.end()) return held(vfs::error(EBADF));
    take_page(still->second, std::move(*rows));
    next_page(call, handle, offset, limit, plus, std::move(held));
  });
}

// But for keys that no name can hold.
void KeyedTree::take_page(Listing& into, store::KeyedRows rows) const {
  into.first += into.page.size();
  into.page.clear();
  into.ended = rows.size() < kPageKeys;
  if (!rows.empty()) into.after = rows.back()[0].value_or("");
  for (auto& row : rows) {
    auto name = name_in(*into.folder.place, *row[0]);
    if (!name) continue;
    Listed listed{std::move(*row[0]), std::move(*name), {}, time_in(row[2])};
    if (row[1]) listed.size = static_cast<std::uint64_t>(integer_in(*row[1]).value_or(0));
    into.page.push_back(std::move(listed));
  }
}

// Where the sizes came with the keys, the kernel is told all and asks for none of them again.
void KeyedTree::answer_page(const Listing& listing, std::uint64_t offset, std::size_t limit,
                            bool plus, Reply<std::vector<vfs::DirEntry>>& reply) {
  std::vector<vfs::DirEntry> out;
  const auto has_room = [&](std::uint64_t next) { return offset < next && out.size() < limit; };
  const auto add_plain = [&](std::string_view name, std::uint64_t next, mode_t mode) {
    vfs::Attr attr;
    attr.ino = listing.ino;  // the kernel asks by name
    attr.mode = mode;
    if (has_room(next)) out.push_back({name, next, attr, false});
  };
  add_plain(".", 1, S_IFDIR);
  add_plain("..", 2, S_IFDIR);
  std::uint64_t next = kDots;
  for (const Place* place : fixed_in(*listing.folder.place))
    add_plain(place->name, ++next, place->mode & S_IFMT);
  const Place* place = listing.folder.place->within("");
  next += listing.first;
  for (const Listed& listed : listing.page) {
    next++;
    if (!plus || !listed.size) {
      add_plain(listed.name, next, place->mode & S_IFMT);
    } else if (has_room(next)) {
      Spot spot{place, listing.folder.keys};
      spot.keys.push_back(listed.key);
      vfs::Attr attr =
          counted({std::move(spot), *listed.size, listed.changed_at}, listing.ino).attr;
      attr.valid = attr.name_valid = vfs::Valid::briefly;
      out.push_back({listed.name, next, attr, true});
    }
  }
  reply(std::move(out));
}

void KeyedTree::releasedir(Ino, Handle handle) {
  listings_.erase(static_cast<std::uint64_t>(handle));
}

}  // namespace tusk::virt
