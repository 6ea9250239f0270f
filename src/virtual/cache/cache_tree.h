// The Vfs of the folder cache/: a file for each key. A value is read as it was when it was opened,
// and written as a whole when what was written is closed.
#pragma once

#include <functional>
#include <memory>
#include <unordered_map>
#include <vector>

#include "tuskfs/store/cache.h"
#include "virtual/asking.h"
#include "virtual/cache/values.h"
#include "virtual/read_only.h"

namespace tusk::virt {

// Of what the store answers: a server that cannot be reached is EIO to who asks for a value.
inline int errno_of(const Error& error) { return error.code == ENOTCONN ? EIO : error.code; }

class CacheTree final : public ReadOnly {
 public:
  // The store is started when it is first needed.
  using Start = std::function<std::unique_ptr<store::CacheStore>(store::CacheStore::Watcher)>;
  // Inode numbers are `first` (the folder's) and those above. Everything belongs to `owner`.
  CacheTree(Executor& executor, Start start, Ino first, uid_t owner, gid_t group);
  ~CacheTree() override;  // with everything sent

  vfs::Attr top() const;

  // Everything acknowledged is sent before what is asked of it.
  store::CacheStore& store();
  // Others, or this mount past this tree, changed keys.
  void changed(const store::CacheChange& change);
  // How often a value was opened, and how often a key was asked for that is none, by this mount.
  std::string counts() const;

  void lookup(const vfs::Call&, Ino parent, std::string_view name, vfs::Reply<vfs::Entry>) override;
  void forget(Ino, std::uint64_t count) override;
  void getattr(const vfs::Call&, Ino, vfs::Reply<vfs::Attr>) override;
  void setattr(const vfs::Call&, Ino, const vfs::AttrChange&, vfs::Reply<vfs::Attr>) override;
  void unlink(const vfs::Call&, Ino parent, std::string_view name, vfs::Reply<void>) override;
  void rename(const vfs::Call&, Ino parent, std::string_view name, Ino new_parent,
              std::string_view new_name, unsigned flags, vfs::Reply<void>) override;

  void open(const vfs::Call&, Ino, int flags, vfs::Reply<vfs::Opened>) override;
  void create(const vfs::Call&, Ino parent, std::string_view name, mode_t, int flags,
              vfs::Reply<vfs::Created>) override;
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

  void setxattr(const vfs::Call&, Ino, std::string_view name, ByteSpan value, int flags,
                vfs::Reply<void>) override;
  void getxattr(const vfs::Call&, Ino, std::string_view name, vfs::Reply<ByteSpan>) override;
  void listxattr(const vfs::Call&, Ino, vfs::Reply<std::string_view>) override;
  void removexattr(const vfs::Call&, Ino, std::string_view name, vfs::Reply<void>) override;

  void interrupt(std::uint64_t token) override {
    ReadOnly::interrupt(token);
    waiting_.interrupt(token);
  }
  void set_kernel_cache(vfs::KernelCache* cache) override { kernel_cache_ = cache; }

 private:
  // An open file. Of a writer: what its value will be, or what is to be appended.
  struct Open {
    Ino ino{};
    std::string key;
    pid_t opener = 0;
    bool writes = false, appends = false;
    bool dirty = false;
    bool written = false;   // since it was opened
    bool refused = false;   // a write was: no part of a value is stored
    bool keep_ttl = false;  // edited, not set anew
    Buffer buffer = {};
    SharedBytes bytes = {};  // of a reader
  };
  // A value that is acknowledged, and on its way into the database.
  struct Coming {
    SharedBytes bytes;
    bool keep_ttl = false;
    Ino ino{};
  };
  // A key of a page, as the database told of it, unless that is outdated by now.
  struct Listed {
    store::CacheEntry entry;
    std::string name;
    bool is_outdated = false;
  };
  struct Listing {
    std::string after;         // the last key of the page
    std::uint64_t first = 0;   // number of the page's first name
    std::vector<Listed> page;  // in the order of keys
    bool ended = false;
    // While the next page is asked for: what became outdated meanwhile.
    bool asks = false;
    std::vector<std::string> changed = {};
    void outdate(const std::string& key);
    void take(std::vector<store::CacheEntry> entries);
  };
  // Answers that are under way for a key; what comes from others meanwhile makes them too old.
  struct Asked {
    int count = 0;
    bool overtaken = false;
  };
  using Found = std::optional<store::CacheEntry>;

  store::CacheStore& started();
  void hears(bool hears);
  void sweep();

  bool is_top(Ino ino) const { return ino == top_; }
  // What an inode looks like: one that nobody writes to as the key's value.
  const Value& shown_as(const Value& value);
  vfs::Attr attr_of(const Value& value);
  vfs::Entry counted(Value& value);
  // The key of a name in the folder, or an errno.
  vfs::Outcome<std::string> key_of(Ino parent, std::string_view name) const;
  vfs::Outcome<std::string> new_key_of(Ino parent, std::string_view name) const;
  // Goes on with the key. That of a name that is a hash is asked for.
  template <class T>
  void with_key(const vfs::Call& call, Ino parent, std::string_view name, vfs::Reply<T> reply,
                std::function<void(const std::string& key, vfs::Reply<T>)> next);
  void lookup_key(const vfs::Call&, const std::string& key, vfs::Reply<vfs::Entry>);
  Value& lasting_writers(const Value& present);
  void remove_key(const vfs::Call&, const std::string& key, vfs::Reply<void>);
  void rename_key(const vfs::Call&, const std::string& key, const std::string& new_key,
                  unsigned flags, vfs::Reply<void>);
  Open* find_open(Handle handle);
  Handle add(Open open);

  // Asks the store about a key, and learns from its answer: null when there is no such key (any
  // more). The value has no bytes when they were not asked for.
  using Question = std::function<void(store::Callback<Result<Found>>)>;
  void ask(const std::string& key, Question question, vfs::Reply<Value*> done);
  void ask_entry(const std::string& key, bool with_bytes, vfs::Reply<Value*> done);
  bool end_question(const std::string& key);
  void begin_question(const std::string& key) { asked_[key].count++; }

  void open_reader(const vfs::Call&, Value& value, vfs::Reply<vfs::Opened>);
  void open_writer(const vfs::Call&, Value& value, int flags, vfs::Reply<vfs::Opened>);
  void create_new(const vfs::Call&, const std::string& key, vfs::Reply<vfs::Created>);
  // What a writer must be told before anything else; 0: nothing.
  int problem_of(const Open& open);
  void commit(const vfs::Call&, Handle handle, vfs::Reply<void>);
  void commit_now(const vfs::Call&, Open& open, vfs::Reply<void>);
  // Values that are closed go together, behind the caller's back, while all is well.
  void write_behind(Open& open, vfs::Reply<void>);
  void send_soon();
  void send_coming();
  void on_sent(const std::unordered_map<std::string, Coming>& sent,
               Result<std::vector<store::CacheEntry>> stored);
  void send_alone(const std::string& key, const Coming& coming);
  // Once what was closed of the key is in the database.
  void wait_for(const vfs::Call&, const std::string& key, vfs::Reply<void>);
  void note_stored(const store::CacheEntry& entry, Ino ino, bool newest);
  void note_lost(const std::string& key, const Error& why);
  Value& writers_of(const Value& present) {
    Value& value = values_.writers(present.entry.key);
    value.writer = present.writer;
    return value;
  }
  void promise(Value& value, pid_t writer);
  // The kernel looks the name up again, and finds the writers' inode.
  template <class T>
  void send_to_writers(const vfs::Call& call, const Value& value, vfs::Reply<T> reply) {
    promise(writers_of(value), call.pid);
    reply(vfs::error(ESTALE));
  }
  void resize(const vfs::Call&, Value& value, std::uint64_t size, vfs::Reply<vfs::Attr>);
  void expire(const vfs::Call&, const Value& value, std::optional<WallTime> at, vfs::Reply<void>);
  void drop_name(const std::string& key);
  void next_page(const vfs::Call&, Handle handle, std::uint64_t offset, std::size_t limit,
                 bool plus, vfs::Reply<std::vector<vfs::DirEntry>>);
  void answer_page(const Listing& listing, std::uint64_t offset, std::size_t limit, bool plus,
                   vfs::Reply<std::vector<vfs::DirEntry>>& reply);
  Value* listed_value(const Listed& listed);
  void outdate(const std::string& key);

  Executor& executor_;
  const Start start_;
  const Ino top_;
  const uid_t owner_;
  const gid_t group_;
  const WallTime born_;
  Values values_;
  bool hears_ = false;
  std::uint64_t hits_ = 0, misses_ = 0;
  std::unordered_map<std::string, Asked> asked_;
  std::unordered_map<std::string, Coming> coming_;
  std::size_t coming_bytes_ = 0;
  int sending_ = 0;  // groups
  MonotonicTime sent_at_{};
  bool is_gathering_ = false;
  std::unordered_map<std::string, int> sending_keys_;
  std::unordered_map<std::string, int> lost_;  // keys whose last value could not be stored: why
  std::vector<vfs::Reply<void>> waiting_for_room_;
  std::unordered_map<std::string, std::vector<vfs::Reply<void>>> waiting_for_key_;
  std::unordered_map<std::uint64_t, Open> open_;
  std::unordered_map<std::uint64_t, Listing> listings_;
  std::uint64_t last_handle_ = 0;
  Waiting waiting_;
  vfs::KernelCache* kernel_cache_ = nullptr;
  std::unique_ptr<store::CacheStore> store_;  // the last: it calls back
};

}  // namespace tusk::virt
