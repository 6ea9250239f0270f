#include <fmt/format.h>

#include <cerrno>

#include "objects/encrypted.h"
#include "objects/frames.h"
#include "objects/local.h"
#include "objects/location.h"
#include "objects/s3/s3.h"

namespace tusk::objects {
namespace {

Result<std::unique_ptr<Place>> open_place(const Options& options, const Opening& opening) {
  if (is_s3(options.location)) return open_s3(options, opening);
  return open_local(options, opening);
}

Result<bool> is_empty(StoredObjects& objects) {
  bool empty = true;
  TRY(objects.list([&empty](const Listed&) { empty = false; }));
  return empty;
}

// A tree without objects may change its mind about the key: the mark says nothing of value yet.
Result<void> agree(Place& place, const Options& options, const Opening& opening,
                   const MasterKey* key) {
  auto judged = judge_mark(place.mark(), key, place_of(options));
  if (judged || !opening.fresh) return judged;
  TRY_ASSIGN(const bool empty, is_empty(place));
  if (!empty) return judged;
  return place.change_mark(opening.mark);
}

}  // namespace

std::uint64_t StoredObjects::stored_bytes(std::uint64_t content) const {
  return mark().empty() ? content : encrypted_bytes(content);
}

Result<std::unique_ptr<Objects>> open(const Options& options, bool fresh) {
  std::optional<MasterKey> key;
  if (!options.access.keyfile.empty()) {
    TRY_ASSIGN(key, read_keyfile(options.access.keyfile));
  }
  const Opening opening{.fresh = fresh, .mark = key ? mark_of(*key) : std::string()};
  TRY_ASSIGN(std::unique_ptr<Place> place, open_place(options, opening));
  TRY(agree(*place, options, opening, key ? &*key : nullptr));
  if (!key) return place;
  return encrypted(std::move(place), *key);
}

Result<std::unique_ptr<StoredObjects>> open_stored(const Options& options, bool fresh) {
  return open_place(options, {.fresh = fresh, .mark = {}});
}

Result<std::unique_ptr<StoredObjects>> open_copies(const Options& options,
                                                   const StoredObjects& source) {
  TRY_ASSIGN(std::unique_ptr<Place> place,
             open_place(options, {.fresh = true, .mark = source.mark()}));
  if (place->mark() == source.mark()) return place;
  TRY_ASSIGN(const bool empty, is_empty(*place));
  if (!empty) {
    return fail(
        EINVAL,
        fmt::format("{} holds objects that are encrypted in another way", place_of(options)),
        "choose another place");
  }
  TRY(place->change_mark(source.mark()));
  return place;
}

}  // namespace tusk::objects
