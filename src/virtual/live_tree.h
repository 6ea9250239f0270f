// The Vfs of a tree of live files. What can be read of a file is one snapshot for each open,
// made anew when it is read from the start after it has become old.
#pragma once

#include <deque>
#include <memory>
#include <unordered_map>
#include <vector>

#include "tuskfs/base/executor.h"
#include "virtual/asking.h"
#include "virtual/live.h"
#include "virtual/read_only.h"

namespace tusk::virt {

class LiveTree : public ReadOnly {
 public:
  // Inode numbers are `first` (the top's) and those that follow it. Everything belongs to `owner`.
  LiveTree(Executor& executor, LiveEntry top, Ino first, uid_t owner, gid_t group);

  // Of the top, with a lookup counted.
  vfs::Entry top() const;

  void lookup(const vfs::Call&, Ino parent, std::string_view name, vfs::Reply<vfs::Entry>) override;
  void forget(Ino, std::uint64_t) override {}
  void getattr(const vfs::Call&, Ino, vfs::Reply<vfs::Attr>) override;
  void setattr(const vfs::Call&, Ino, const vfs::AttrChange&, vfs::Reply<vfs::Attr>) override;

  void open(const vfs::Call&, Ino, int flags, vfs::Reply<vfs::Opened>) override;
  void read(const vfs::Call&, Ino, Handle, std::uint64_t offset, std::size_t size,
            vfs::Reply<vfs::Content>) override;
  void write(const vfs::Call&, Ino, Handle, std::uint64_t offset, ByteSpan,
             vfs::Reply<std::size_t>) override;
  void release(Ino, Handle) override;
  void poll(const vfs::Call&, Ino, Handle, vfs::Wake, vfs::Reply<unsigned>) override;

  void opendir(const vfs::Call&, Ino, vfs::Reply<vfs::Opened>) override;
  void readdir(const vfs::Call&, Ino, Handle, std::uint64_t offset, std::size_t limit, bool plus,
               vfs::Reply<std::vector<vfs::DirEntry>>) override;
  void releasedir(Ino, Handle) override {}

  void setxattr(const vfs::Call&, Ino, std::string_view, ByteSpan, int, vfs::Reply<void>) override;
  void getxattr(const vfs::Call&, Ino, std::string_view, vfs::Reply<ByteSpan>) override;
  void listxattr(const vfs::Call&, Ino, vfs::Reply<std::string_view>) override;
  void interrupt(std::uint64_t token) override {
    ReadOnly::interrupt(token);
    waiting_.interrupt(token);
  }

 private:
  struct Node {
    std::string name;
    std::size_t parent = 0;
    std::unique_ptr<LiveFile> file;
    std::vector<std::size_t> entries;
    std::optional<vfs::Attr> elsewhere;
    std::unique_ptr<LiveFolder> folder;
    bool gone = false;  // its folder does not list it any more; its number and place stay
    Rendered shown = {};
    MonotonicTime shown_at{};
    bool rendering = false;
    MonotonicTime began_at{};  // when that began; who comes later waits the less
    std::vector<vfs::Reply<Rendered>> waiters = {};
    bool watched = false;
  };
  struct StreamRead {
    vfs::Call call;
    std::size_t size = 0;
    vfs::Reply<vfs::Content> reply;
  };
  struct Open {
    std::size_t node = 0;
    Rendered pinned = {};
    MonotonicTime pinned_at{};
    vfs::Wake wake = {};  // of who waits in poll(2) for something newer
    std::unique_ptr<LiveStream> stream = {};
    bool blocks = true;  // reads of the stream
    std::deque<StreamRead> reads = {};
  };

  std::size_t add(LiveEntry entry, std::size_t parent);
  // Learns first which files a folder has, where those come and go.
  void refresh(const vfs::Call& call, Ino folder, vfs::Reply<void> done);
  void take_names(std::size_t index, const std::vector<std::string>& names);
  vfs::Outcome<vfs::Entry> entry_in(Ino folder, std::string_view name);
  std::vector<vfs::DirEntry> listing(Ino folder, std::uint64_t offset, std::size_t limit);
  Node* find(Ino ino);
  Node* find_file(Ino ino);
  Ino ino_of(std::size_t index) const;
  vfs::Attr attr_of(std::size_t index) const;
  std::size_t index_of(Ino ino) const;
  bool is_fresh(const Node& node, MonotonicTime since) const;
  // The newest, made anew when it is old.
  void show(std::size_t index, vfs::Reply<Rendered> done);
  void read_stream(const vfs::Call&, std::uint64_t handle, std::size_t size,
                   vfs::Reply<vfs::Content>);
  void poll_stream(std::uint64_t handle, vfs::Wake, vfs::Reply<unsigned>);
  // Who waits for the stream is served a moment after there is some, with all that came by then.
  void await_stream(std::uint64_t handle);
  void serve_stream(std::uint64_t handle);
  void watch(std::size_t index);
  void on_changed(std::size_t index);
  void on_rendered(std::size_t index, vfs::Outcome<Rendered> rendered);

  Executor& executor_;
  const std::uint64_t first_;
  const uid_t owner_;
  const gid_t group_;
  const WallTime born_;
  std::deque<Node> nodes_;  // grows, and nothing of it moves
  std::unordered_map<std::uint64_t, Open> open_;
  std::uint64_t last_handle_ = 0;
  Waiting waiting_;
};

}  // namespace tusk::virt
