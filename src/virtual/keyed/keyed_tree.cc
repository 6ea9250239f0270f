#include "virtual/keyed/keyed_tree.h"

#include "tuskfs/base/log.h"
#include "tuskfs/base/utf8.h"
#include "virtual/cache/names.h"
#include "virtual/keyed/names.h"
#include "virtual/keyed/texts.h"
#include "virtual/names.h"

namespace tusk::virt {
namespace {

using vfs::Outcome;
using vfs::Reply;

std::int64_t number_of(const std::optional<std::string>& text) {
  return text ? integer_in(*text).value_or(0) : 0;
}

// Folders that are there without any key.
bool stays(const KeyedNode& node) { return node.spot.place->is_folder() && node.spot.keys.empty(); }

}  // namespace

KeyedTree::KeyedTree(Executor& executor, Place top, Ask ask, Ino first, uid_t owner, gid_t group)
    : ReadOnly(EPERM),
      executor_(executor),
      top_(std::move(top)),
      ask_(std::move(ask)),
      owner_(owner),
      group_(group),
      born_(executor.wall_now()),
      nodes_(top_, first) {}

vfs::Attr KeyedTree::folder(std::string_view name) const {
  return attr_of(nodes_.top_folder(name));
}

bool KeyedTree::has_place(Ino folder, std::string_view name) const {
  const KeyedNode* node = nodes_.find(folder);
  return node && node->spot.place->within(name);
}

// Keys are not logged: one may be the token of a session.
int KeyedTree::code_of(const Error& error, const std::string& statement) {
  if (error.code == ENOTCONN) {
    if (!std::exchange(is_down_, true))
      log::error("sessions, limits, flags and settings cannot be asked for: {}", error.what);
    return EIO;
  }
  if (error.code == EIO) log::error("{} failed: {}", statement, error.what);
  return error.code;
}

void KeyedTree::ask(store::KeyedQuestion question, Reply<store::KeyedRows> done) {
  const std::string statement = question.statement;
  ask_(std::move(question),
       [this, statement, done = std::move(done)](Result<store::KeyedRows> rows) mutable {
         if (!rows) return done(vfs::error(code_of(rows.error(), statement)));
         is_down_ = false;
         done(std::move(*rows));
       });
}

Outcome<Spot> KeyedTree::spot_of(Ino parent, std::string_view name) const {
  const KeyedNode* node = nodes_.find(parent);
  if (!node) return vfs::error(ESTALE);
  const Place* folder = node->spot.place;
  const Keys& keys = node->spot.keys;
  if (!folder->is_folder()) return vfs::error(ENOTDIR);
  if (name.size() > kNameMax) return vfs::error(ENAMETOOLONG);
  if (!is_utf8(name)) return vfs::error(EILSEQ);
  const Place* fixed = name.empty() ? nullptr : folder->within(name);
  if (fixed) return Spot{fixed, keys};
  const Place* any = folder->within("");
  auto hash = any && !any->find_by_hash.empty() ? hash_in_name(name) : std::nullopt;
  const bool is_hashed = hash.has_value();
  auto key = is_hashed ? std::move(hash) : any ? key_in(*folder, name) : std::nullopt;
  if (!key) return vfs::error(ENOENT);
  Spot spot{any, keys, is_hashed};
  spot.keys.push_back(std::move(*key));
  return spot;
}

WallTime KeyedTree::time_in(const std::optional<std::string>& microseconds) const {
  return microseconds ? WallTime{number_of(microseconds) * 1000} : executor_.wall_now();
}

void KeyedTree::locate(Spot spot, Reply<Located> done) {
  const Place& place = *spot.place;
  const std::string& find = spot.is_hashed ? place.find_by_hash : place.find;
  if (!find.empty()) {
    store::KeyedQuestion question{find, spot.keys};
    return ask(std::move(question), [this, spot = std::move(spot), done = std::move(done)](
                                        Outcome<store::KeyedRows> rows) mutable {
      if (!rows) return done(std::unexpected(rows.error()));
      if (rows->empty()) return done(vfs::error(ENOENT));
      auto& row = rows->front();
      spot.keys.back() = row[0].value_or("");
      // What has a name of its own has no other.
      if (std::exchange(spot.is_hashed, false) && name_of_key(spot.keys.back()))
        return done(vfs::error(ENOENT));
      done(
          Located{std::move(spot), static_cast<std::uint64_t>(number_of(row[1])), time_in(row[2])});
    });
  }
  if (place.read.empty()) return done(Located{std::move(spot), 0, born_});
  read_text(spot, [spot, done = std::move(done)](Outcome<Text> text) mutable {
    if (!text) return done(std::unexpected(text.error()));
    done(Located{std::move(spot), text->text.size(), text->changed_at});
  });
}

// A file that is there without any key is, before the schema is made, empty.
void KeyedTree::read_text(const Spot& spot, Reply<Text> done) {
  const Place& place = *spot.place;
  const bool is_always = spot.keys.empty();
  ask({place.read, spot.keys},
      [this, &place, is_always, done = std::move(done)](Outcome<store::KeyedRows> rows) mutable {
        if (!rows) return done(std::unexpected(rows.error()));
        if (rows->empty() && !is_always) return done(vfs::error(ENOENT));
        Text text{place.first_lines ? place.first_lines() : "", executor_.wall_now()};
        if (!rows->empty()) {
          text.text += rows->front()[0].value_or("");
          text.changed_at = time_in(rows->front()[1]);
        }
        done(std::move(text));
      });
}

void KeyedTree::take(const Spot& spot, std::string_view text, Reply<Taken> done) {
  if (text.ends_with('\n')) text.remove_suffix(1);
  auto question = spot.place->write(text);
  if (!question) return done(std::unexpected(question.error()));
  question->params.insert(question->params.begin(), spot.keys.begin(), spot.keys.end());
  question->writes = true;
  ask(std::move(*question), [spot, done = std::move(done)](Outcome<store::KeyedRows> rows) mutable {
    if (!rows) return done(std::unexpected(rows.error()));
    if (rows->empty()) return done(vfs::error(ENOENT));
    if (spot.place->written) spot.place->written(spot.keys);
    auto& row = rows->front();
    done(Taken{row[0] == "true" ? 0 : EDQUOT, std::move(row[1])});
  });
}

void KeyedTree::learn(Ino ino, std::uint64_t size, WallTime changed_at) {
  if (KeyedNode* node = nodes_.find(ino)) node->facts = Facts{size, changed_at, executor_.now()};
}
void KeyedTree::forget_facts(Ino ino) {
  if (KeyedNode* node = nodes_.find(ino)) node->facts.reset();
}

vfs::Attr KeyedTree::attr_of(const KeyedNode& node) const {
  vfs::Attr attr;
  attr.ino = node.ino;
  attr.mode = node.spot.place->mode;
  attr.nlink = node.spot.place->is_folder() ? 2 : 1;
  attr.uid = owner_;
  attr.gid = group_;
  attr.size = node.facts ? node.facts->size : 0;
  attr.blocks = (attr.size + 511) / 512;
  attr.atime = attr.mtime = attr.ctime = node.facts ? node.facts->changed_at : born_;
  attr.valid = vfs::Valid::never;
  attr.name_valid = node.spot.place->is_believed ? vfs::Valid::briefly : vfs::Valid::never;
  if (stays(node)) attr.valid = attr.name_valid = vfs::Valid::lasting;
  return attr;
}

vfs::Entry KeyedTree::counted(const Located& found, Ino parent) {
  KeyedNode& node = nodes_.add(found.spot, parent);
  learn(node.ino, found.size, found.changed_at);
  return {attr_of(node)};
}

void KeyedTree::lookup(const vfs::Call& call, Ino parent, std::string_view name,
                       Reply<vfs::Entry> reply) {
  auto spot = spot_of(parent, name);
  if (!spot) return reply(std::unexpected(spot.error()));
  locate(std::move(*spot), [this, call, parent, held = waiting_.hold(call, std::move(reply))](
                               Outcome<Located> found) mutable {
    if (!found) return held(std::unexpected(found.error()));
    if (waiting_.waits(call)) held(counted(*found, parent));
  });
}

void KeyedTree::getattr(const vfs::Call& call, Ino ino, Reply<vfs::Attr> reply) {
  const KeyedNode* node = nodes_.find(ino);
  if (!node) return reply(vfs::error(ESTALE));
  const bool is_known = node->facts && executor_.now() - node->facts->known_at < kMoment;
  if (is_known || stays(*node)) return reply(attr_of(*node));
  locate(node->spot,
         [this, ino, held = waiting_.hold(call, std::move(reply))](Outcome<Located> found) mutable {
           const KeyedNode* still = nodes_.find(ino);
           if (!found) return held(std::unexpected(found.error()));
           if (!still) return held(vfs::error(ESTALE));
           learn(ino, found->size, found->changed_at);
           held(attr_of(*still));
         });
}

void KeyedTree::setattr(const vfs::Call& call, Ino ino, const vfs::AttrChange& change,
                        Reply<vfs::Attr> reply) {
  const KeyedNode* node = nodes_.find(ino);
  if (!node) return reply(vfs::error(ESTALE));
  if (node->spot.place->is_folder() || change.mode || change.uid || change.gid)
    return reply(vfs::error(EPERM));
  if (!node->spot.place->write) return reply(vfs::error(EACCES));
  if (change.size) return resize(*node, *change.size, std::move(reply));
  getattr(call, ino, std::move(reply));
}

void KeyedTree::mkdir(const vfs::Call& call, Ino parent, std::string_view name, mode_t,
                      Reply<vfs::Entry> reply) {
  const auto spot = spot_of(parent, name);
  if (!spot) {
    // Of what could be made, a name that no key has.
    const bool is_wrong = spot.error().value == ENOENT && has_place(parent, "");
    return reply(vfs::error(is_wrong                       ? EINVAL
                            : spot.error().value == ENOENT ? EPERM
                                                           : spot.error().value));
  }
  if (spot->place->make.empty() || !spot->place->is_folder()) return reply(vfs::error(EPERM));
  ask({spot->place->make, spot->keys, true},
      [this, call, parent, spot = *spot,
       held = waiting_.hold(call, std::move(reply))](Outcome<store::KeyedRows> rows) mutable {
        if (!rows) return held(std::unexpected(rows.error()));
        if (rows->empty()) return held(vfs::error(EEXIST));
        if (waiting_.waits(call)) held(counted({spot, 0, executor_.wall_now()}, parent));
      });
}

void KeyedTree::unlink(const vfs::Call& call, Ino parent, std::string_view name,
                       Reply<void> reply) {
  remove(call, parent, name, false, std::move(reply));
}
void KeyedTree::rmdir(const vfs::Call& call, Ino parent, std::string_view name, Reply<void> reply) {
  remove(call, parent, name, true, std::move(reply));
}
void KeyedTree::remove(const vfs::Call& call, Ino parent, std::string_view name, bool is_folder,
                       Reply<void> reply) {
  const auto spot = spot_of(parent, name);
  if (!spot) return reply(std::unexpected(spot.error()));
  const Place& place = *spot->place;
  if (place.is_folder() != is_folder) return reply(vfs::error(is_folder ? ENOTDIR : EISDIR));
  if (place.remove.empty()) return reply(vfs::error(EPERM));
  ask({place.remove, spot->keys, true},
      [held = waiting_.hold(call, std::move(reply))](Outcome<store::KeyedRows> rows) mutable {
        if (!rows) return held(std::unexpected(rows.error()));
        rows->empty() ? held(vfs::error(ENOENT)) : held({});
      });
}

void KeyedTree::setxattr(const vfs::Call&, Ino, std::string_view, ByteSpan, int,
                         Reply<void> reply) {
  reply(vfs::error(ENOTSUP));
}
void KeyedTree::getxattr(const vfs::Call&, Ino, std::string_view, Reply<ByteSpan> reply) {
  reply(vfs::error(ENODATA));
}
void KeyedTree::listxattr(const vfs::Call&, Ino, Reply<std::string_view> reply) {
  reply(std::string_view());
}

}  // namespace tusk::virt
