#include "support/fake_vfs.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <ctime>
#include <stdexcept>

namespace tusk::test {

WallTime fake_now() {
  timespec t{};
  ::clock_gettime(CLOCK_REALTIME, &t);
  return {t.tv_sec * 1'000'000'000 + t.tv_nsec};
}

namespace {

void set_time(WallTime& target, const std::optional<WallTime>& change) {
  if (change) target = *change == vfs::kNow ? fake_now() : *change;
}

}  // namespace

FakeVfs::FakeVfs(bool wants_flush) : wants_flush_(wants_flush) {
  Node& root = nodes_[kRootIno];
  root.attr.ino = kRootIno;
  root.attr.mode = S_IFDIR | 0755;
  root.attr.nlink = 2;
  root.attr.uid = ::getuid();
  root.attr.gid = ::getgid();
}

void FakeVfs::fail(const std::string& name, int code) {
  if (code == 0) {
    errors_.erase(name);
  } else {
    errors_[name] = code;
  }
}

void FakeVfs::let_go() {
  held_.clear();
  for (Parked& parked : std::exchange(parked_, {})) parked.answer(0);
}

void FakeVfs::poll(const vfs::Call& call, Ino, Handle, vfs::Wake wake, vfs::Reply<unsigned> reply) {
  if (wake) wakes_.push_back(std::move(wake));
  verb<unsigned>("poll", call, std::move(reply), [this] { return ready_; });
}

void FakeVfs::set_ready(unsigned events) {
  ready_ = events;
  for (vfs::Wake& wake : std::exchange(wakes_, {})) wake();
}

void FakeVfs::interrupt(std::uint64_t token) {
  interrupts_++;
  if (locks_.interrupt(token)) return;
  const auto found = std::ranges::find(parked_, token, &Parked::token);
  if (found == parked_.end()) return;
  Parked parked = std::move(*found);
  parked_.erase(found);
  parked.answer(EINTR);
}

std::uint64_t FakeVfs::lookups() const {
  std::uint64_t sum = 0;
  for (const auto& [ino, node] : nodes_) {
    if (ino != kRootIno) sum += node.lookups;
  }
  return sum;
}

FakeVfs::Node& FakeVfs::node(Ino ino) { return nodes_.at(ino); }

FakeVfs::Node* FakeVfs::child(Ino parent, std::string_view name) {
  const auto& entries = node(parent).entries;
  const auto found = entries.find(name);
  return found == entries.end() ? nullptr : &node(found->second);
}

vfs::Outcome<FakeVfs::Node*> FakeVfs::make(const vfs::Call& call, Ino parent, std::string_view name,
                                           mode_t mode) {
  if (child(parent, name) != nullptr) return vfs::error(EEXIST);
  const Ino ino{++last_ino_};
  Node& made = nodes_[ino];
  made.attr = {.ino = ino,
               .mode = mode & ~call.umask,
               .nlink = S_ISDIR(mode) ? 2u : 1u,
               .uid = call.uid,
               .gid = call.gid};
  made.attr.atime = made.attr.mtime = made.attr.ctime = fake_now();
  node(parent).entries.emplace(name, ino);
  node(parent).attr.mtime = made.attr.mtime;
  return &made;
}

vfs::Entry FakeVfs::counted(Node& found) const {
  found.lookups++;
  return {found.attr};
}

Handle FakeVfs::open_handle(Ino ino) {
  const Handle handle{++last_handle_};
  handles_[handle].ino = ino;
  node(ino).opens++;
  return handle;
}

void FakeVfs::close_handle(Handle handle) {
  const Ino ino = handles_.at(handle).ino;
  handles_.erase(handle);
  node(ino).opens--;
  drop_if_unused(ino);
}

void FakeVfs::drop_if_unused(Ino ino) {
  const Node& unused = node(ino);
  if (unused.lookups == 0 && unused.opens == 0 && unused.attr.nlink == 0) nodes_.erase(ino);
}

void FakeVfs::remove_name(Ino parent, std::string_view name) {
  Node& removed = *child(parent, name);
  removed.attr.nlink = S_ISDIR(removed.attr.mode) ? 0 : removed.attr.nlink - 1;
  node(parent).entries.erase(std::string(name));
  node(parent).attr.mtime = fake_now();
  drop_if_unused(removed.attr.ino);
}

void FakeVfs::lookup(const vfs::Call& call, Ino parent, std::string_view name,
                     vfs::Reply<vfs::Entry> reply) {
  verb("lookup", call, std::move(reply), [&]() -> vfs::Outcome<vfs::Entry> {
    Node* found = child(parent, name);
    if (found == nullptr) return vfs::Entry{};
    return counted(*found);
  });
}

void FakeVfs::forget(Ino ino, std::uint64_t count) {
  Node& forgotten = node(ino);
  if (ino == kRootIno) return;
  if (count > forgotten.lookups) throw std::logic_error("more forgotten than counted");
  forgotten.lookups -= count;
  drop_if_unused(ino);
}

void FakeVfs::getattr(const vfs::Call& call, Ino ino, vfs::Reply<vfs::Attr> reply) {
  verb("getattr", call, std::move(reply),
       [&]() -> vfs::Outcome<vfs::Attr> { return node(ino).attr; });
}

void FakeVfs::setattr(const vfs::Call& call, Ino ino, const vfs::AttrChange& change,
                      vfs::Reply<vfs::Attr> reply) {
  verb("setattr", call, std::move(reply), [&]() -> vfs::Outcome<vfs::Attr> {
    Node& changed = node(ino);
    vfs::Attr& attr = changed.attr;
    attr.ctime = fake_now();
    if (change.mode) attr.mode = (attr.mode & S_IFMT) | (*change.mode & 07777);
    attr.uid = change.uid.value_or(attr.uid);
    attr.gid = change.gid.value_or(attr.gid);
    if (change.size) {
      changed.data.resize(*change.size);
      attr.size = *change.size;
    }
    set_time(attr.atime, change.atime);
    set_time(attr.mtime, change.mtime);
    set_time(attr.ctime, change.ctime);
    return attr;
  });
}

void FakeVfs::readlink(const vfs::Call& call, Ino ino, vfs::Reply<std::string_view> reply) {
  verb("readlink", call, std::move(reply),
       [&]() -> vfs::Outcome<std::string_view> { return node(ino).target; });
}

void FakeVfs::mknod(const vfs::Call& call, Ino parent, std::string_view name, mode_t mode,
                    dev_t rdev, vfs::Reply<vfs::Entry> reply) {
  verb("mknod", call, std::move(reply), [&]() -> vfs::Outcome<vfs::Entry> {
    const auto made = make(call, parent, name, mode);
    if (!made) return std::unexpected(made.error());
    (*made)->attr.rdev = rdev;
    return counted(**made);
  });
}

void FakeVfs::mkdir(const vfs::Call& call, Ino parent, std::string_view name, mode_t mode,
                    vfs::Reply<vfs::Entry> reply) {
  verb("mkdir", call, std::move(reply), [&]() -> vfs::Outcome<vfs::Entry> {
    const auto made = make(call, parent, name, S_IFDIR | mode);
    if (!made) return std::unexpected(made.error());
    return counted(**made);
  });
}

void FakeVfs::symlink(const vfs::Call& call, Ino parent, std::string_view name,
                      std::string_view target, vfs::Reply<vfs::Entry> reply) {
  verb("symlink", call, std::move(reply), [&]() -> vfs::Outcome<vfs::Entry> {
    const auto made = make(call, parent, name, S_IFLNK | 0777);
    if (!made) return std::unexpected(made.error());
    (*made)->target = target;
    (*made)->attr.size = target.size();
    return counted(**made);
  });
}

void FakeVfs::unlink(const vfs::Call& call, Ino parent, std::string_view name,
                     vfs::Reply<void> reply) {
  verb("unlink", call, std::move(reply), [&]() -> vfs::Outcome<void> {
    if (child(parent, name) == nullptr) return vfs::error(ENOENT);
    remove_name(parent, name);
    return {};
  });
}

void FakeVfs::rmdir(const vfs::Call& call, Ino parent, std::string_view name,
                    vfs::Reply<void> reply) {
  verb("rmdir", call, std::move(reply), [&]() -> vfs::Outcome<void> {
    const Node* removed = child(parent, name);
    if (removed == nullptr) return vfs::error(ENOENT);
    if (!removed->entries.empty()) return vfs::error(ENOTEMPTY);
    remove_name(parent, name);
    return {};
  });
}

void FakeVfs::rename(const vfs::Call& call, Ino parent, std::string_view name, Ino new_parent,
                     std::string_view new_name, unsigned flags, vfs::Reply<void> reply) {
  verb("rename", call, std::move(reply), [&]() -> vfs::Outcome<void> {
    const Node* moved = child(parent, name);
    const Node* target = child(new_parent, new_name);
    if (moved == nullptr) return vfs::error(ENOENT);
    const Ino ino = moved->attr.ino;
    if (flags == RENAME_EXCHANGE && target != nullptr) {
      node(parent).entries.find(name)->second = target->attr.ino;
      node(new_parent).entries.find(new_name)->second = ino;
      return {};
    }
    if (flags == RENAME_NOREPLACE && target != nullptr) return vfs::error(EEXIST);
    if (flags != 0 && flags != RENAME_NOREPLACE) return vfs::error(EINVAL);
    if (target != nullptr) remove_name(new_parent, new_name);
    node(parent).entries.erase(std::string(name));
    node(new_parent).entries.emplace(new_name, ino);
    return {};
  });
}

void FakeVfs::link(const vfs::Call& call, Ino ino, Ino new_parent, std::string_view new_name,
                   vfs::Reply<vfs::Entry> reply) {
  verb("link", call, std::move(reply), [&]() -> vfs::Outcome<vfs::Entry> {
    if (child(new_parent, new_name) != nullptr) return vfs::error(EEXIST);
    node(new_parent).entries.emplace(new_name, ino);
    node(ino).attr.nlink++;
    return counted(node(ino));
  });
}

}  // namespace tusk::test
