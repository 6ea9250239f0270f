// The Vfs of .tusk itself.
#pragma once

#include "virtual/places.h"
#include "virtual/read_only.h"
#include "virtual/reader.h"
#include "virtual/table.h"

namespace tusk::virt {

// .tusk itself, for the mount whose root is given.
Item dot_tusk(const store::FolderRow& root);

class PastTree : public ReadOnly {
 public:
  // What is at the top has this number.
  PastTree(Executor& executor, store::PastStore& store, const Setup& setup, Item top, Ino ino);

  // With a lookup counted.
  vfs::Entry top();

  void lookup(const vfs::Call&, Ino parent, std::string_view name, vfs::Reply<vfs::Entry>) override;
  void forget(Ino ino, std::uint64_t count) override { table_.forget(ino, count); }
  void getattr(const vfs::Call&, Ino, vfs::Reply<vfs::Attr>) override;
  void readlink(const vfs::Call&, Ino, vfs::Reply<std::string_view>) override;

  // Take and remove snapshots.
  void mkdir(const vfs::Call&, Ino parent, std::string_view name, mode_t,
             vfs::Reply<vfs::Entry>) override;
  void rmdir(const vfs::Call&, Ino parent, std::string_view name, vfs::Reply<void>) override;
  // Purge from the trash, restore out of it.
  void unlink(const vfs::Call&, Ino parent, std::string_view name, vfs::Reply<void>) override;
  void rename(const vfs::Call&, Ino parent, std::string_view name, Ino new_parent,
              std::string_view new_name, unsigned flags, vfs::Reply<void>) override;

  void open(const vfs::Call&, Ino, int flags, vfs::Reply<vfs::Opened>) override;
  void read(const vfs::Call&, Ino, Handle, std::uint64_t offset, std::size_t size,
            vfs::Reply<vfs::Content>) override;
  void release(Ino, Handle handle) override;
  void lseek(const vfs::Call&, Ino, std::uint64_t offset, int whence,
             vfs::Reply<std::uint64_t>) override;

  void opendir(const vfs::Call&, Ino, vfs::Reply<vfs::Opened>) override;
  void readdir(const vfs::Call&, Ino, Handle, std::uint64_t offset, std::size_t limit, bool plus,
               vfs::Reply<std::vector<vfs::DirEntry>>) override;
  void releasedir(Ino, Handle handle) override;

  void getxattr(const vfs::Call&, Ino, std::string_view name, vfs::Reply<ByteSpan>) override;
  void listxattr(const vfs::Call&, Ino, vfs::Reply<std::string_view>) override;

  void interrupt(std::uint64_t token) override {
    ReadOnly::interrupt(token);
    waiting_.interrupt(token);
  }

 private:
  void getattr_live_top(const vfs::Call&, const Moment&, vfs::Reply<vfs::Attr>);
  void open_live(const vfs::Call&, Ino, const store::FileRow&, int tries,
                 vfs::Reply<vfs::Opened> held);
  void open_replaced(const vfs::Call&, Ino, int tries, vfs::Reply<vfs::Opened> held);
  SharedListing fresh_listing(const Node& node) const;
  void keep_listing(Ino ino, SharedListing listing);
  void drop_listing(Ino ino, MonotonicTime listed_at);
  void finish_lookup(Ino parent, const Listing& listing, std::string_view name,
                     vfs::Reply<vfs::Entry>& reply);
  vfs::Entry enter(Ino parent, const Item& item);
  bool is_snapshots(Ino ino);
  bool is_trash(Ino ino);
  void find_trashed(Ino parent, std::string_view name, vfs::Reply<const Item*> done);
  void purge(const vfs::Call&, Ino parent, std::string_view name, vfs::Reply<void>);
  void take_snapshot(const std::string& name, vfs::Reply<void> done);
  vfs::DirEntry dir_entry(const Node& folder, const Item& item, std::uint64_t next, bool plus);
  std::uint64_t next_handle() { return ++last_handle_; }

  Executor& executor_;
  store::PastStore& store_;
  const Setup& setup_;
  const Ino top_;
  Asker asker_;
  Places places_;
  Table table_;
  Waiting waiting_;
  std::unordered_map<std::uint64_t, std::shared_ptr<Reader>> files_;
  std::unordered_map<std::uint64_t, SharedListing> folders_;
  std::uint64_t last_handle_ = 0;
  MonotonicTime distrusted_at_{};  // listings from before hold no more
};

}  // namespace tusk::virt
