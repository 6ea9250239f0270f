// A small, complete filesystem in memory behind the waist: what the fuse room is tested against.
// As every Vfs it belongs to the core thread; tests reach it through FakeMount::on_core().
#pragma once

#include <functional>
#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "tuskfs/vfs/locks.h"

namespace tusk::test {

WallTime fake_now();

class FakeVfs final : public vfs::Vfs {
 public:
  explicit FakeVfs(bool wants_flush = false);

  // Verbs called since the last time, by name, in order; forget and interrupt are not among them.
  std::vector<std::string> take_calls() { return std::exchange(calls_, {}); }
  // Until taken back with 0: `verb` fails with this errno, or throws if it is negative.
  void fail(const std::string& verb, int code);
  // `verb` is done but its answer waits for let_go() or an interrupt.
  void hold(const std::string& verb) { held_.insert(verb); }
  void let_go();
  std::size_t waiting() const { return parked_.size(); }
  std::size_t interrupts() const { return interrupts_; }
  // What poll() finds of every file; who waits in it is woken.
  void set_ready(unsigned events);
  // Lookups counted and not forgotten, the root's apart.
  std::uint64_t lookups() const;
  std::size_t handles() const { return handles_.size(); }
  vfs::KernelCache* kernel_cache() const { return kernel_cache_; }
  vfs::Call last_call() const { return last_call_; }

  void lookup(const vfs::Call&, Ino parent, std::string_view name, vfs::Reply<vfs::Entry>) override;
  void forget(Ino, std::uint64_t count) override;
  void getattr(const vfs::Call&, Ino, vfs::Reply<vfs::Attr>) override;
  void setattr(const vfs::Call&, Ino, const vfs::AttrChange&, vfs::Reply<vfs::Attr>) override;
  void readlink(const vfs::Call&, Ino, vfs::Reply<std::string_view>) override;
  void mknod(const vfs::Call&, Ino parent, std::string_view name, mode_t, dev_t,
             vfs::Reply<vfs::Entry>) override;
  void mkdir(const vfs::Call&, Ino parent, std::string_view name, mode_t,
             vfs::Reply<vfs::Entry>) override;
  void symlink(const vfs::Call&, Ino parent, std::string_view name, std::string_view target,
               vfs::Reply<vfs::Entry>) override;
  void unlink(const vfs::Call&, Ino parent, std::string_view name, vfs::Reply<void>) override;
  void rmdir(const vfs::Call&, Ino parent, std::string_view name, vfs::Reply<void>) override;
  void rename(const vfs::Call&, Ino parent, std::string_view name, Ino new_parent,
              std::string_view new_name, unsigned flags, vfs::Reply<void>) override;
  void link(const vfs::Call&, Ino, Ino new_parent, std::string_view new_name,
            vfs::Reply<vfs::Entry>) override;
  void open(const vfs::Call&, Ino, int flags, vfs::Reply<vfs::Opened>) override;
  void create(const vfs::Call&, Ino parent, std::string_view name, mode_t, int flags,
              vfs::Reply<vfs::Created>) override;
  void read(const vfs::Call&, Ino, Handle, std::uint64_t offset, std::size_t size,
            vfs::Reply<vfs::Content>) override;
  void write(const vfs::Call&, Ino, Handle, std::uint64_t offset, ByteSpan data,
             vfs::Reply<std::size_t>) override;
  void flush(const vfs::Call&, Ino, Handle, vfs::Reply<void>) override;
  void release(Ino, Handle) override;
  void fsync(const vfs::Call&, Ino, Handle, vfs::Reply<void>) override;
  void opendir(const vfs::Call&, Ino, vfs::Reply<vfs::Opened>) override;
  void readdir(const vfs::Call&, Ino, Handle, std::uint64_t offset, std::size_t limit, bool plus,
               vfs::Reply<std::vector<vfs::DirEntry>>) override;
  void releasedir(Ino, Handle) override;
  void fsyncdir(const vfs::Call&, Ino, vfs::Reply<void>) override;
  void statfs(const vfs::Call&, vfs::Reply<vfs::Statfs>) override;
  void setxattr(const vfs::Call&, Ino, std::string_view name, ByteSpan value, int flags,
                vfs::Reply<void>) override;
  void getxattr(const vfs::Call&, Ino, std::string_view name, vfs::Reply<ByteSpan>) override;
  void listxattr(const vfs::Call&, Ino, vfs::Reply<std::string_view>) override;
  void removexattr(const vfs::Call&, Ino, std::string_view name, vfs::Reply<void>) override;
  void fallocate(const vfs::Call&, Ino, Handle, int mode, std::uint64_t offset, std::uint64_t size,
                 vfs::Reply<void>) override;
  void copy_file_range(const vfs::Call&, const vfs::CopyRange&, vfs::Reply<std::size_t>) override;
  void clone(const vfs::Call&, Ino source, Ino target, vfs::Reply<void>) override;
  void lseek(const vfs::Call&, Ino, std::uint64_t offset, int whence,
             vfs::Reply<std::uint64_t>) override;
  void poll(const vfs::Call&, Ino, Handle, vfs::Wake, vfs::Reply<unsigned>) override;
  void interrupt(std::uint64_t token) override;
  void getlk(const vfs::Call&, Ino ino, const vfs::Lock& wanted,
             vfs::Reply<vfs::Lock> reply) override {
    locks_.find(ino, wanted, std::move(reply));
  }
  void setlk(const vfs::Call& call, Ino ino, const vfs::Lock& wanted, bool waits,
             vfs::Reply<void> reply) override {
    locks_.set(ino, wanted, waits, call.token, std::move(reply));
  }
  void release_locks(Ino ino, Handle handle) override { locks_.closed(ino, handle); }
  bool wants_flush() const override { return wants_flush_; }
  void set_kernel_cache(vfs::KernelCache* cache) override { kernel_cache_ = cache; }

 private:
  struct Node {
    vfs::Attr attr;
    std::uint64_t lookups = 0, opens = 0;
    std::map<std::string, Ino, std::less<>> entries;
    std::map<std::string, Buffer, std::less<>> xattrs;
    std::vector<std::uint8_t> data;
    std::string target;
  };
  struct OpenNode {
    Ino ino;
    std::vector<std::pair<std::string, Ino>> entries;  // of a folder, as they were
  };
  struct Parked {
    std::uint64_t token;
    std::move_only_function<void(int)> answer;  // 0: as computed
  };

  template <class T, class Body>
  void verb(const char* name, const vfs::Call&, vfs::Reply<T>, Body);
  Node& node(Ino ino);
  Node* child(Ino parent, std::string_view name);
  vfs::Outcome<Node*> make(const vfs::Call&, Ino parent, std::string_view name, mode_t);
  vfs::Entry counted(Node&) const;
  Handle open_handle(Ino);
  void close_handle(Handle);
  void drop_if_unused(Ino);
  void remove_name(Ino parent, std::string_view name);

  bool wants_flush_;
  vfs::KernelCache* kernel_cache_ = nullptr;
  std::map<Ino, Node> nodes_;
  std::map<Handle, OpenNode> handles_;
  std::uint64_t last_ino_ = 1, last_handle_ = 0;
  std::string listed_names_;

  std::vector<std::string> calls_;
  std::map<std::string, int> errors_;
  std::set<std::string> held_;
  std::vector<Parked> parked_;
  vfs::Locks locks_;
  std::size_t interrupts_ = 0;
  unsigned ready_ = POLLIN | POLLOUT;
  std::vector<vfs::Wake> wakes_;
  vfs::Call last_call_;
};

template <class T, class Body>
void FakeVfs::verb(const char* name, const vfs::Call& call, vfs::Reply<T> reply, Body body) {
  calls_.emplace_back(name);
  last_call_ = call;
  if (const auto found = errors_.find(name); found != errors_.end()) {
    if (found->second < 0) throw std::runtime_error("as the test asked");
    return reply(vfs::error(found->second));
  }
  vfs::Outcome<T> outcome = body();
  if (!held_.contains(name)) return reply(std::move(outcome));
  auto late = [reply = std::move(reply), outcome = std::move(outcome)](int code) mutable {
    reply(code == 0 ? std::move(outcome) : vfs::error(code));
  };
  parked_.push_back({call.token, std::move(late)});
}

}  // namespace tusk::test
