// Opening, reading and writing files of a keyed tree. What is read is as it was when the file was
// opened; what is written is taken at once, so that a shell tells why it was refused, or at close.
#include <fcntl.h>

#include <algorithm>

#include "virtual/keyed/keyed_tree.h"

namespace tusk::virt {

using vfs::Outcome;
using vfs::Reply;

KeyedTree::Open* KeyedTree::find_open(Handle handle) {
  const auto found = open_.find(static_cast<std::uint64_t>(handle));
  return found == open_.end() ? nullptr : &found->second;
}

vfs::Opened KeyedTree::opened(Open open) {
  const bool at_close = open.writes && open.spot.place->writing == Writing::at_close;
  open_.emplace(++last_handle_, std::move(open));
  return {.handle = Handle{last_handle_}, .lasting = false, .direct = true, .flush = at_close};
}

// Permissions hold for root as well.
void KeyedTree::open(const vfs::Call& call, Ino ino, int flags, Reply<vfs::Opened> reply) {
  const KeyedNode* node = nodes_.find(ino);
  if (!node) return reply(vfs::error(ESTALE));
  const Place& place = *node->spot.place;
  const bool reads = (flags & O_ACCMODE) != O_WRONLY, truncates = (flags & O_TRUNC) != 0;
  Open open{.ino = ino, .spot = node->spot};
  open.writes = (flags & O_ACCMODE) != O_RDONLY;
  if ((open.writes || truncates) && !place.write) return reply(vfs::error(EACCES));
  if (reads && place.read.empty()) return reply(vfs::error(EACCES));
  open.appends = (flags & O_APPEND) != 0;
  open.emptied = open.writes && truncates;
  // Who writes commands mostly reads what they were answered.
  const bool looks = reads && !(open.writes && place.writing == Writing::alone);
  // Who changes a part of it begins with what there is.
  const bool edits =
      open.writes && !truncates &&
      (place.writing == Writing::at_close || (place.writing == Writing::whole && open.appends));
  if (!looks && !edits) return reply(opened(std::move(open)));
  const Spot spot = open.spot;
  read_text(spot, [this, call, edits, open = std::move(open),
                   held = waiting_.hold(call, std::move(reply))](Outcome<Text> text) mutable {
    if (!text) return held(std::unexpected(text.error()));
    if (!waiting_.waits(call)) return;
    learn(open.ino, text->text.size(), text->changed_at);
    if (edits) open.buffer = text->text;
    open.shown = std::move(*text);
    open.shown_at = executor_.now();
    held(opened(std::move(open)));
  });
}

void KeyedTree::answer_read(Open& open, std::uint64_t offset, std::size_t size,
                            Reply<vfs::Content>& reply) {
  if (!open.base) open.base = offset == open.answered_at ? offset : 0;
  const bool is_edited = open.writes && open.spot.place->writing == Writing::at_close;
  const std::string_view all = is_edited ? open.buffer : open.shown.text;
  const std::uint64_t from = offset < *open.base ? offset : offset - *open.base;
  const std::string_view part = all.substr(std::min<std::size_t>(from, all.size()), size);
  reply(vfs::Content{{bytes_of(part)}, part.size()});
}

void KeyedTree::read(const vfs::Call& call, Ino, Handle handle, std::uint64_t offset,
                     std::size_t size, Reply<vfs::Content> reply) {
  Open* open = find_open(handle);
  if (!open) return reply(vfs::error(EBADF));
  const bool is_old = executor_.now() - open->shown_at >= kMoment;
  if (offset > 0 || !is_old || open->is_answer || open->spot.place->read.empty())
    return answer_read(*open, offset, size, reply);
  read_text(open->spot, [this, handle, size,
                         held = waiting_.hold(call, std::move(reply))](Outcome<Text> text) mutable {
    Open* still = find_open(handle);
    if (!still) return held(vfs::error(EBADF));
    if (!text) return held(std::unexpected(text.error()));
    learn(still->ino, text->text.size(), text->changed_at);
    still->shown = std::move(*text);
    still->shown_at = executor_.now();
    answer_read(*still, 0, size, held);
  });
}

void KeyedTree::write(const vfs::Call& call, Ino, Handle handle, std::uint64_t offset,
                      ByteSpan data, Reply<std::size_t> reply) {
  Open* open = find_open(handle);
  if (!open || !open->writes) return reply(vfs::error(EBADF));
  const Place& place = *open->spot.place;
  if (place.writing == Writing::at_close) return buffer_write(*open, offset, data, reply);
  std::string text(data.begin(), data.end());
  if (place.writing == Writing::whole && (open->appends || offset > 0)) {
    // It goes on where it ended; there are no parts to be changed.
    if (!open->appends && offset != open->buffer.size()) return reply(vfs::error(EINVAL));
    text.insert(0, open->buffer);
  }
  if (text.size() > place.most) return reply(vfs::error(EFBIG));
  open->emptied = false;
  const Spot spot = open->spot;
  take(spot, text,
       [this, handle, offset, text, size = data.size(),
        held = waiting_.hold(call, std::move(reply))](Outcome<Taken> taken) mutable {
         if (!taken) return held(std::unexpected(taken.error()));
         on_taken(handle, offset, size, std::move(text), *taken);
         if (taken->error != 0) return held(vfs::error(taken->error));
         held(size);
       });
}

void KeyedTree::on_taken(Handle handle, std::uint64_t offset, std::size_t size, std::string text,
                         const Taken& taken) {
  Open* open = find_open(handle);
  if (!open) return;
  forget_facts(open->ino);
  if (open->spot.place->writing == Writing::whole) open->buffer = std::move(text);
  open->shown_at = {};  // what is read next from the start is what is so now
  if (!taken.answer) return;
  open->shown = {*taken.answer, executor_.wall_now()};
  open->is_answer = true;
  // A write that is refused does not move the position.
  open->answered_at = taken.error == 0 ? offset + size : offset;
  open->base.reset();
}

void KeyedTree::buffer_write(Open& open, std::uint64_t offset, ByteSpan data,
                             Reply<std::size_t>& reply) {
  const std::uint64_t at = open.appends ? open.buffer.size() : offset;
  if (at + data.size() > open.spot.place->most) {
    open.refused = true;
    return reply(vfs::error(EFBIG));
  }
  if (open.buffer.size() < at + data.size()) open.buffer.resize(at + data.size());
  std::ranges::copy(data, open.buffer.begin() + static_cast<std::ptrdiff_t>(at));
  open.dirty = true;
  open.emptied = false;
  reply(data.size());
}

// Of a file that is stored when it is closed; others take what is written.
void KeyedTree::resize(const KeyedNode& node, std::uint64_t size, Reply<vfs::Attr> reply) {
  vfs::Attr attr = attr_of(node);
  if (node.spot.place->writing != Writing::at_close) return reply(attr);
  if (size > node.spot.place->most) return reply(vfs::error(EFBIG));
  for (auto& [handle, open] : open_) {
    if (open.ino != node.ino || !open.writes) continue;
    open.buffer.resize(size);
    open.dirty = size > 0;
    attr.size = size;
    return reply(attr);
  }
  reply(vfs::error(EINVAL));
}

void KeyedTree::flush(const vfs::Call& call, Ino, Handle handle, Reply<void> reply) {
  commit(call, handle, std::move(reply));
}
void KeyedTree::fsync(const vfs::Call& call, Ino, Handle handle, Reply<void> reply) {
  commit(call, handle, std::move(reply));
}

// What is refused is tried again at the next close: a child's may have come in the middle.
void KeyedTree::commit(const vfs::Call& call, Handle handle, Reply<void> reply) {
  Open* open = find_open(handle);
  if (!open) return reply(vfs::error(EBADF));
  if (open->refused) return reply(vfs::error(EFBIG));
  if (!std::exchange(open->dirty, false)) return reply({});
  const Spot spot = open->spot;
  take(spot, open->buffer,
       [this, handle, held = waiting_.hold(call, std::move(reply))](Outcome<Taken> taken) mutable {
         Open* still = find_open(handle);
         if (still) forget_facts(still->ino);
         if (still && !taken) still->dirty = true;
         taken ? held({}) : held(std::unexpected(taken.error()));
       });
}

// Emptied only now: a shell closes one handle of what it is about to write to.
void KeyedTree::release(Ino, Handle handle) {
  const auto found = open_.find(static_cast<std::uint64_t>(handle));
  if (found == open_.end()) return;
  const Open open = std::move(found->second);
  open_.erase(found);
  if (open.emptied && open.spot.place->may_be_empty) take(open.spot, "", [](Outcome<Taken>) {});
}

}  // namespace tusk::virt
