// The Vfs of folders and small text files that lie in tables by key. Nothing is kept but what the
// kernel was told a moment ago: who looks up, opens or lists asks the database.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "tuskfs/base/executor.h"
#include "virtual/asking.h"
#include "virtual/keyed/nodes.h"
#include "virtual/keyed/place.h"
#include "virtual/read_only.h"

namespace tusk::virt {

class KeyedTree final : public ReadOnly {
 public:
  using Ask = std::function<void(store::KeyedQuestion, store::Callback<Result<store::KeyedRows>>)>;
  // The places of `top` are the folders that other trees show. Inode numbers are `first` and those
  // above. Everything belongs to `owner`.
  KeyedTree(Executor& executor, Place top, Ask ask, Ino first, uid_t owner, gid_t group);

  vfs::Attr folder(std::string_view name) const;
  // Whether a folder has a fixed file or folder of this name; empty: one for each key.
  bool has_place(Ino folder, std::string_view name) const;

  void lookup(const vfs::Call&, Ino parent, std::string_view name, vfs::Reply<vfs::Entry>) override;
  void forget(Ino ino, std::uint64_t count) override { nodes_.forget(ino, count); }
  void getattr(const vfs::Call&, Ino, vfs::Reply<vfs::Attr>) override;
  void setattr(const vfs::Call&, Ino, const vfs::AttrChange&, vfs::Reply<vfs::Attr>) override;
  void mkdir(const vfs::Call&, Ino parent, std::string_view name, mode_t,
             vfs::Reply<vfs::Entry>) override;
  void unlink(const vfs::Call&, Ino parent, std::string_view name, vfs::Reply<void>) override;
  void rmdir(const vfs::Call&, Ino parent, std::string_view name, vfs::Reply<void>) override;

  void open(const vfs::Call&, Ino, int flags, vfs::Reply<vfs::Opened>) override;
  void read(const vfs::Call&, Ino, Handle, std::uint64_t offset, std::size_t size,
            vfs::Reply<vfs::Content>) override;
  void write(const vfs::Call&, Ino, Handle, std::uint64_t offset, ByteSpan,
             vfs::Reply<std::size_t>) override;
  void flush(const vfs::Call&, Ino, Handle, vfs::Reply<void>) override;
  void fsync(const vfs::Call&, Ino, Handle, vfs::Reply<void>) override;
  void release(Ino, Handle) override;

  void opendir(const vfs::Call&, Ino, vfs::Reply<vfs::Opened>) override;
  void readdir(const vfs::Call&, Ino, Handle, std::uint64_t offset, std::size_t limit, bool plus,
               vfs::Reply<std::vector<vfs::DirEntry>>) override;
  void releasedir(Ino, Handle) override;

  void setxattr(const vfs::Call&, Ino, std::string_view, ByteSpan, int, vfs::Reply<void>) override;
  void getxattr(const vfs::Call&, Ino, std::string_view, vfs::Reply<ByteSpan>) override;
  void listxattr(const vfs::Call&, Ino, vfs::Reply<std::string_view>) override;

  void interrupt(std::uint64_t token) override {
    ReadOnly::interrupt(token);
    waiting_.interrupt(token);
  }

 private:
  // What was told of a file is told again for as long.
  static constexpr auto kMoment = std::chrono::seconds(1);

  struct Text {
    std::string text;
    WallTime changed_at{};
  };
  struct Located {
    Spot spot;
    std::uint64_t size = 0;
    WallTime changed_at{};
  };
  struct Open {
    Ino ino{};
    Spot spot;
    bool writes = false, appends = false;
    // What reads give: as it was at open, or what a write was answered. That is read from where the
    // write ended, as a program does that reads on, or from the start.
    Text shown = {};
    MonotonicTime shown_at{};
    bool is_answer = false;
    std::uint64_t answered_at = 0;
    std::optional<std::uint64_t> base = 0;  // empty: the next read decides
    // What was written.
    std::string buffer = {};
    bool dirty = false;
    bool refused = false;  // a write was: nothing is stored
    bool emptied = false;  // and nothing written since
  };
  struct Listed {
    std::string key, name;
    std::optional<std::uint64_t> size;
    WallTime changed_at{};
  };
  struct Listing {
    Spot folder;
    Ino ino{};
    std::string after = {};   // the last key of the page
    std::uint64_t first = 0;  // number of the page's first key
    std::vector<Listed> page = {};
    bool ended = false;
  };
  // What a write came to: with an errno or without, it may have been told something.
  struct Taken {
    int error = 0;
    std::optional<std::string> answer;
  };

  void ask(store::KeyedQuestion question, vfs::Reply<store::KeyedRows> done);
  int code_of(const Error& error, const std::string& statement);
  vfs::Outcome<Spot> spot_of(Ino parent, std::string_view name) const;
  // Whether it is there, by its own key where it can be named by others.
  void locate(Spot spot, vfs::Reply<Located> done);
  void read_text(const Spot& spot, vfs::Reply<Text> done);
  void take(const Spot& spot, std::string_view text, vfs::Reply<Taken> done);
  void remove(const vfs::Call&, Ino parent, std::string_view name, bool is_folder,
              vfs::Reply<void> reply);
  WallTime time_in(const std::optional<std::string>& microseconds) const;
  void learn(Ino ino, std::uint64_t size, WallTime changed_at);
  void forget_facts(Ino ino);
  vfs::Attr attr_of(const KeyedNode& node) const;
  vfs::Entry counted(const Located& found, Ino parent);

  Open* find_open(Handle handle);
  vfs::Opened opened(Open open);
  void answer_read(Open& open, std::uint64_t offset, std::size_t size,
                   vfs::Reply<vfs::Content>& reply);
  void buffer_write(Open& open, std::uint64_t offset, ByteSpan data,
                    vfs::Reply<std::size_t>& reply);
  void on_taken(Handle handle, std::uint64_t offset, std::size_t size, std::string text,
                const Taken& taken);
  void commit(const vfs::Call&, Handle handle, vfs::Reply<void> reply);
  void resize(const KeyedNode& node, std::uint64_t size, vfs::Reply<vfs::Attr> reply);

  void next_page(const vfs::Call&, Handle handle, std::uint64_t offset, std::size_t limit,
                 bool plus, vfs::Reply<std::vector<vfs::DirEntry>>);
  void answer_page(const Listing& listing, std::uint64_t offset, std::size_t limit, bool plus,
                   vfs::Reply<std::vector<vfs::DirEntry>>& reply);
  void take_page(Listing& listing, store::KeyedRows rows) const;

  Executor& executor_;
  const Place top_;
  const Ask ask_;
  const uid_t owner_;
  const gid_t group_;
  const WallTime born_;
  KeyedNodes nodes_;
  bool is_down_ = false;  // the database is, and it was said
  std::unordered_map<std::uint64_t, Open> open_;
  std::unordered_map<std::uint64_t, Listing> listings_;
  std::uint64_t last_handle_ = 0;
  Waiting waiting_;
};

}  // namespace tusk::virt
