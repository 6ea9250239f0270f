#include "virtual/live_tree.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <string_view>
#include <unordered_set>

namespace tusk::virt {
namespace {

using vfs::Outcome;
using vfs::Reply;

// Who has something to read already does not wait longer than this for something newer.
constexpr auto kPatience = std::chrono::milliseconds(500);
constexpr std::size_t kMostWritten = 4096;
// What comes of a stream meanwhile is read together.
constexpr auto kGather = std::chrono::milliseconds(10);

bool writes(int flags) { return (flags & O_ACCMODE) != O_RDONLY || (flags & O_TRUNC) != 0; }

}  // namespace

LiveTree::LiveTree(Executor& executor, LiveEntry top, Ino first, uid_t owner, gid_t group)
    : ReadOnly(EPERM),
      executor_(executor),
      first_(static_cast<std::uint64_t>(first)),
      owner_(owner),
      group_(group),
      born_(executor.wall_now()) {
  add(std::move(top), 0);
}

std::size_t LiveTree::add(LiveEntry entry, std::size_t parent) {
  const std::size_t index = nodes_.size();
  nodes_.push_back({std::move(entry.name),
                    parent,
                    std::move(entry.file),
                    {},
                    entry.elsewhere,
                    std::move(entry.folder)});
  std::ranges::sort(entry.entries, {}, &LiveEntry::name);
  for (LiveEntry& each : entry.entries) {
    const std::size_t child = add(std::move(each), index);
    nodes_[index].entries.push_back(child);
  }
  return index;
}

Ino LiveTree::ino_of(std::size_t index) const { return Ino{first_ + index}; }

std::size_t LiveTree::index_of(Ino ino) const { return static_cast<std::uint64_t>(ino) - first_; }

LiveTree::Node* LiveTree::find(Ino ino) {
  const std::size_t index = index_of(ino);
  return index < nodes_.size() ? &nodes_[index] : nullptr;
}

LiveTree::Node* LiveTree::find_file(Ino ino) {
  Node* node = find(ino);
  return node && node->file ? node : nullptr;
}

vfs::Attr LiveTree::attr_of(std::size_t index) const {
  const Node& node = nodes_[index];
  if (node.elsewhere) return *node.elsewhere;
  vfs::Attr attr;
  attr.ino = ino_of(index);
  attr.mode = node.file ? S_IFREG | node.file->permissions() : S_IFDIR | 0555;
  attr.nlink = node.file ? 1 : 2;
  attr.uid = owner_;
  attr.gid = group_;
  attr.size = node.shown.text ? node.shown.text->size() : 0;
  attr.blocks = (attr.size + 511) / 512;
  attr.atime = attr.mtime = attr.ctime = node.shown.text ? node.shown.measured_at : born_;
  attr.valid = node.file ? vfs::Valid::never : vfs::Valid::lasting;
  if (nodes_[node.parent].folder) attr.name_valid = vfs::Valid::never;
  return attr;
}

vfs::Entry LiveTree::top() const { return {attr_of(0)}; }

vfs::Outcome<vfs::Entry> LiveTree::entry_in(Ino parent, std::string_view name) {
  for (const std::size_t index : find(parent)->entries) {
    if (nodes_[index].name == name && !nodes_[index].gone) return vfs::Entry{attr_of(index)};
  }
  return vfs::error(ENOENT);
}

void LiveTree::lookup(const vfs::Call& call, Ino parent, std::string_view name,
                      Reply<vfs::Entry> reply) {
  const Node* folder = find(parent);
  if (!folder) return reply(vfs::error(ESTALE));
  if (!folder->folder) return reply(entry_in(parent, name));
  refresh(call, parent,
          [this, parent, name = std::string(name),
           reply = std::move(reply)](Outcome<void> learnt) mutable {
            if (!learnt) return reply(std::unexpected(learnt.error()));
            reply(entry_in(parent, name));
          });
}

void LiveTree::refresh(const vfs::Call& call, Ino folder, Reply<void> done) {
  const std::size_t index = index_of(folder);
  nodes_[index].folder->list([this, index, held = waiting_.hold(call, std::move(done))](
                                 Outcome<std::vector<std::string>> names) mutable {
    if (!names) return held(std::unexpected(names.error()));
    take_names(index, *names);
    held({});
  });
}

void LiveTree::take_names(std::size_t index, const std::vector<std::string>& names) {
  std::unordered_set<std::string_view> wanted(names.begin(), names.end());
  for (const std::size_t child : nodes_[index].entries) {
    nodes_[child].gone = !wanted.contains(nodes_[child].name);
    wanted.erase(nodes_[child].name);
  }
  for (const std::string& name : names) {
    if (!wanted.contains(name)) continue;
    const std::size_t child = add(live_file(name, nodes_[index].folder->file(name)), index);
    nodes_[index].entries.push_back(child);
  }
}

bool LiveTree::is_fresh(const Node& node, MonotonicTime since) const {
  return node.shown.text && executor_.now() - since < node.file->fresh_for();
}

void LiveTree::show(std::size_t index, Reply<Rendered> done) {
  Node& node = nodes_[index];
  if (is_fresh(node, node.shown_at)) return done(node.shown);
  if (node.shown.text) {
    const auto waited =
        node.rendering ? executor_.now() - node.began_at : std::chrono::nanoseconds(0);
    if (waited >= kPatience) return done(node.shown);
    // Whichever comes first answers.
    auto once = std::make_shared<Reply<Rendered>>(std::move(done));
    executor_.after(kPatience - waited, [this, index, once] {
      if (*once) std::exchange(*once, nullptr)(nodes_[index].shown);
    });
    done = [once](Outcome<Rendered> rendered) {
      if (*once) std::exchange(*once, nullptr)(std::move(rendered));
    };
  }
  node.waiters.push_back(std::move(done));
  if (std::exchange(node.rendering, true)) return;
  node.began_at = executor_.now();
  node.file->render(
      [this, index](Outcome<Rendered> rendered) { on_rendered(index, std::move(rendered)); });
}

void LiveTree::on_rendered(std::size_t index, Outcome<Rendered> rendered) {
  Node& node = nodes_[index];
  node.rendering = false;
  if (rendered) {
    node.shown = *rendered;
    node.shown_at = executor_.now();
  }
  for (auto& waiter : std::exchange(node.waiters, {})) waiter(rendered);
}

void LiveTree::getattr(const vfs::Call& call, Ino ino, Reply<vfs::Attr> reply) {
  const Node* node = find(ino);
  if (!node) return reply(vfs::error(ESTALE));
  const std::size_t index = index_of(ino);
  if (!node->file || node->file->is_stream()) return reply(attr_of(index));
  show(index, [this, index,
               held = waiting_.hold(call, std::move(reply))](Outcome<Rendered> rendered) mutable {
    if (!rendered) return held(std::unexpected(rendered.error()));
    held(attr_of(index));
  });
}

void LiveTree::setattr(const vfs::Call& call, Ino ino, const vfs::AttrChange& change,
                       Reply<vfs::Attr> reply) {
  const Node* node = find_file(ino);
  if (!node || change.mode || change.uid || change.gid) return reply(vfs::error(EPERM));
  if ((node->file->permissions() & 0222) == 0) return reply(vfs::error(EACCES));
  // A shell's > truncates what it is about to write to.
  getattr(call, ino, std::move(reply));
}

// Permissions hold for root as well.
void LiveTree::open(const vfs::Call& call, Ino ino, int flags, Reply<vfs::Opened> reply) {
  const Node* node = find_file(ino);
  if (!node) return reply(vfs::error(ESTALE));
  if (writes(flags) && (node->file->permissions() & 0222) == 0) return reply(vfs::error(EACCES));
  const bool reads = (flags & O_ACCMODE) != O_WRONLY;
  if (reads && (node->file->permissions() & 0444) == 0) return reply(vfs::error(EACCES));
  const std::size_t index = index_of(ino);
  if (node->file->is_stream()) {
    Open open{
        .node = index, .stream = node->file->open_stream(ino), .blocks = (flags & O_NONBLOCK) == 0};
    open_.emplace(++last_handle_, std::move(open));
    return reply(vfs::Opened{.handle = Handle{last_handle_}, .lasting = false, .direct = true});
  }
  const auto finish = [this, index](Rendered pinned) {
    const std::uint64_t handle = ++last_handle_;
    open_.emplace(handle, Open{index, std::move(pinned), executor_.now()});
    return vfs::Opened{.handle = Handle{handle}, .lasting = false, .direct = true};
  };
  if (!reads) return reply(finish({}));
  show(index, [this, call, finish,
               held = waiting_.hold(call, std::move(reply))](Outcome<Rendered> rendered) mutable {
    if (!rendered) return held(std::unexpected(rendered.error()));
    if (waiting_.waits(call)) held(finish(std::move(*rendered)));
  });
}

void LiveTree::read(const vfs::Call& call, Ino, Handle handle, std::uint64_t offset,
                    std::size_t size, Reply<vfs::Content> reply) {
  const auto found = open_.find(static_cast<std::uint64_t>(handle));
  if (found == open_.end()) return reply(vfs::error(EBADF));
  if (found->second.stream) return read_stream(call, found->first, size, std::move(reply));
  const auto answer = [offset, size](const Rendered& shown, Reply<vfs::Content>& to) {
    const std::string_view text = shown.text ? std::string_view(*shown.text) : std::string_view();
    const std::string_view part = text.substr(std::min<std::size_t>(offset, text.size()), size);
    to(vfs::Content{{bytes_of(part)}, part.size()});
  };
  Open& open = found->second;
  const Node& node = nodes_[open.node];
  if (offset > 0 || executor_.now() - open.pinned_at < node.file->fresh_for())
    return answer(open.pinned, reply);
  show(open.node, [this, handle, answer, held = waiting_.hold(call, std::move(reply))](
                      Outcome<Rendered> rendered) mutable {
    const auto still = open_.find(static_cast<std::uint64_t>(handle));
    if (!rendered) return held(std::unexpected(rendered.error()));
    if (still != open_.end()) {
      still->second.pinned = *rendered;
      still->second.pinned_at = executor_.now();
    }
    answer(*rendered, held);
  });
}

void LiveTree::write(const vfs::Call& call, Ino ino, Handle, std::uint64_t, ByteSpan data,
                     Reply<std::size_t> reply) {
  Node* node = find_file(ino);
  if (!node) return reply(vfs::error(EBADF));
  if (data.size() > kMostWritten) return reply(vfs::error(EFBIG));
  std::string text(data.begin(), data.end());
  if (text.ends_with('\n')) text.pop_back();
  node->file->take(text,
                   [this, index = index_of(ino), size = data.size(),
                    held = waiting_.hold(call, std::move(reply))](Outcome<void> taken) mutable {
                     if (!taken) return held(std::unexpected(taken.error()));
                     // What is read next is what is so now.
                     nodes_[index].shown_at = {};
                     if (nodes_[index].file->renews_all())
                       for (Node& each : nodes_) each.shown_at = {};
                     held(size);
                   });
}

// Readable with something new in it since this handle saw it last, as the kernel's own such files.
void LiveTree::poll(const vfs::Call& call, Ino ino, Handle handle, vfs::Wake wake,
                    Reply<unsigned> reply) {
  const Node* node = find_file(ino);
  if (node && node->file->is_stream())
    return poll_stream(static_cast<std::uint64_t>(handle), std::move(wake), std::move(reply));
  if (!node || !node->file->can_be_watched())
    return ReadOnly::poll(call, ino, handle, std::move(wake), std::move(reply));
  const std::size_t index = index_of(ino);
  show(index, [this, index, handle, wake = std::move(wake),
               held = waiting_.hold(call, std::move(reply))](Outcome<Rendered> rendered) mutable {
    const auto found = open_.find(static_cast<std::uint64_t>(handle));
    if (!rendered || found == open_.end()) return held(unsigned{POLLERR});
    Open& open = found->second;
    if (open.pinned.text && *open.pinned.text != *rendered->text) {
      open.pinned_at = {};  // what is read from the start is that
      return held(unsigned{POLLIN | POLLRDNORM | POLLPRI});
    }
    if (wake) open.wake = std::move(wake);
    watch(index);
    held(unsigned{0});
  });
}

void LiveTree::watch(std::size_t index) {
  if (std::exchange(nodes_[index].watched, true)) return;
  nodes_[index].file->watch([this, index] { on_changed(index); });
}

void LiveTree::on_changed(std::size_t index) {
  nodes_[index].watched = false;
  nodes_[index].shown_at = {};
  std::vector<vfs::Wake> woken;
  for (auto& [handle, open] : open_)
    if (open.node == index && open.wake) woken.push_back(std::exchange(open.wake, nullptr));
  for (vfs::Wake& wake : woken) wake();
}

void LiveTree::release(Ino, Handle handle) {
  const auto found = open_.find(static_cast<std::uint64_t>(handle));
  if (found == open_.end()) return;
  const std::size_t index = found->second.node;
  open_.erase(found);
  const auto waits = [index](const auto& each) {
    return each.second.node == index && each.second.wake;
  };
  if (!nodes_[index].watched || std::ranges::any_of(open_, waits)) return;
  nodes_[index].watched = false;
  nodes_[index].file->watch(nullptr);
}

void LiveTree::read_stream(const vfs::Call& call, std::uint64_t handle, std::size_t size,
                           Reply<vfs::Content> reply) {
  Open& open = open_.at(handle);
  if (!open.stream->has_some() && !open.blocks) return reply(vfs::error(EAGAIN));
  const bool waits = !open.stream->has_some();
  open.reads.push_back({call, size, waiting_.hold(call, std::move(reply))});
  if (!waits) return serve_stream(handle);
  await_stream(handle);
}

void LiveTree::poll_stream(std::uint64_t handle, vfs::Wake wake, Reply<unsigned> reply) {
  const auto found = open_.find(handle);
  if (found == open_.end()) return reply(unsigned{POLLERR});
  if (found->second.stream->has_some()) return reply(unsigned{POLLIN | POLLRDNORM});
  if (wake) found->second.wake = std::move(wake);
  await_stream(handle);
  reply(unsigned{0});
}

void LiveTree::await_stream(std::uint64_t handle) {
  open_.at(handle).stream->on_some(
      [this, handle] { executor_.after(kGather, [this, handle] { serve_stream(handle); }); });
}

void LiveTree::serve_stream(std::uint64_t handle) {
  const auto found = open_.find(handle);
  if (found == open_.end()) return;
  Open& open = found->second;
  while (!open.reads.empty() && open.stream->has_some()) {
    StreamRead read = std::move(open.reads.front());
    open.reads.pop_front();
    if (!waiting_.waits(read.call)) continue;
    const std::string text = open.stream->take(read.size);
    read.reply(vfs::Content{{bytes_of(text)}, text.size()});
  }
  if (!open.reads.empty()) await_stream(handle);
  if (open.stream->has_some() && open.wake) std::exchange(open.wake, nullptr)();
}

void LiveTree::opendir(const vfs::Call&, Ino ino, Reply<vfs::Opened> reply) {
  const Node* node = find(ino);
  if (!node) return reply(vfs::error(ESTALE));
  reply(vfs::Opened{.handle = Handle{++last_handle_}, .lasting = !node->folder});
}

// Offsets: 1 after ".", 2 after "..", then 3 + the entry's position. Nothing is rendered for this.
void LiveTree::readdir(const vfs::Call& call, Ino ino, Handle, std::uint64_t offset,
                       std::size_t limit, bool, Reply<std::vector<vfs::DirEntry>> reply) {
  const Node* folder = find(ino);
  if (!folder) return reply(vfs::error(ESTALE));
  if (!folder->folder || offset > 0) return reply(listing(ino, offset, limit));
  refresh(call, ino, [this, ino, limit, reply = std::move(reply)](Outcome<void> learnt) mutable {
    if (!learnt) return reply(std::unexpected(learnt.error()));
    reply(listing(ino, 0, limit));
  });
}

std::vector<vfs::DirEntry> LiveTree::listing(Ino ino, std::uint64_t offset, std::size_t limit) {
  const Node* folder = find(ino);
  std::vector<vfs::DirEntry> out;
  const auto add_entry = [&](std::string_view name, std::uint64_t next, const vfs::Attr& attr) {
    if (offset < next && out.size() < limit) out.push_back({name, next, attr, false});
  };
  add_entry(".", 1, attr_of(index_of(ino)));
  add_entry("..", 2, attr_of(folder->parent));
  for (std::size_t i = 0; i < folder->entries.size(); i++) {
    const std::size_t index = folder->entries[i];
    if (!nodes_[index].gone) add_entry(nodes_[index].name, i + 3, attr_of(index));
  }
  return out;
}

void LiveTree::setxattr(const vfs::Call&, Ino, std::string_view, ByteSpan, int, Reply<void> reply) {
  reply(vfs::error(ENOTSUP));
}
void LiveTree::getxattr(const vfs::Call&, Ino, std::string_view, Reply<ByteSpan> reply) {
  reply(vfs::error(ENODATA));
}
void LiveTree::listxattr(const vfs::Call&, Ino, Reply<std::string_view> reply) {
  reply(std::string_view());
}

}  // namespace tusk::virt
