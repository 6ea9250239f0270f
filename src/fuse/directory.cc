#include "fuse/directory.h"

#include <string>
#include <vector>

#include "fuse/reply.h"

namespace tusk::fuse {
namespace {

// Bytes an entry takes at least: asking the Vfs for more entries than fit would be wasted.
constexpr std::size_t kEntryBytes = 32, kEntryPlusBytes = 160;

void opendir(fuse_req_t req, fuse_ino_t ino, fuse_file_info* fi) {
  call_verb(req, {vfs::Op::opendir, ino}, [&](vfs::Vfs& vfs, const vfs::Call& call) {
    vfs.opendir(
        call, to_ino(ino),
        reply_with<vfs::Opened>(req, [req, ino, info = *fi](const vfs::Opened& opened) mutable {
          vfs::Vfs& owner = bridge_of(req).vfs;
          info.fh = static_cast<std::uint64_t>(opened.handle);
          info.cache_readdir = info.keep_cache = opened.lasting;
          if (fuse_reply_open(req, &info) != 0) {
            owner.releasedir(to_ino(ino), opened.handle);
          }
        }));
  });
}

class Page {
 public:
  Page(fuse_req_t req, std::size_t size, bool plus) : req_(req), plus_(plus), bytes_(size) {}

  // False: no room left.
  bool add(const vfs::DirEntry& entry) {
    const std::string name(entry.name);
    const auto next = static_cast<off_t>(entry.next);
    const std::size_t room = bytes_.size() - used_;
    std::size_t needed = 0;
    if (plus_) {
      fuse_entry_param param = to_entry(entry.attr);
      param.attr.st_ino = param.ino;
      // An entry that is not counted must not become an inode in the kernel.
      if (!entry.counted) param.ino = 0;
      needed =
          fuse_add_direntry_plus(req_, bytes_.data() + used_, room, name.c_str(), &param, next);
    } else {
      const struct stat attr = to_stat(entry.attr);
      needed = fuse_add_direntry(req_, bytes_.data() + used_, room, name.c_str(), &attr, next);
    }
    if (needed > room) return false;
    used_ += needed;
    return true;
  }
  int send() { return fuse_reply_buf(req_, bytes_.data(), used_); }

 private:
  fuse_req_t req_;
  bool plus_;
  std::vector<char> bytes_;
  std::size_t used_ = 0;
};

void send_page(fuse_req_t req, std::size_t size, bool plus,
               const std::vector<vfs::DirEntry>& entries) {
  vfs::Vfs& vfs = bridge_of(req).vfs;
  Page page(req, size, plus);
  std::size_t sent = 0;
  while (sent < entries.size() && page.add(entries[sent])) sent++;
  if (page.send() != 0) sent = 0;
  for (; sent < entries.size(); sent++) {
    if (entries[sent].counted) vfs.forget(entries[sent].attr.ino, 1);
  }
}

void list(fuse_req_t req, fuse_ino_t ino, std::size_t size, off_t offset, fuse_file_info* fi,
          bool plus) {
  call_verb(req, {vfs::Op::readdir, ino}, [&](vfs::Vfs& vfs, const vfs::Call& call) {
    const std::size_t limit = size / (plus ? kEntryPlusBytes : kEntryBytes) + 1;
    vfs.readdir(call, to_ino(ino), to_handle(fi), static_cast<std::uint64_t>(offset), limit, plus,
                reply_with<std::vector<vfs::DirEntry>>(
                    req, [req, size, plus](const std::vector<vfs::DirEntry>& entries) {
                      send_page(req, size, plus, entries);
                    }));
  });
}

void readdir(fuse_req_t req, fuse_ino_t ino, std::size_t size, off_t offset, fuse_file_info* fi) {
  list(req, ino, size, offset, fi, false);
}

void readdirplus(fuse_req_t req, fuse_ino_t ino, std::size_t size, off_t offset,
                 fuse_file_info* fi) {
  list(req, ino, size, offset, fi, true);
}

void releasedir(fuse_req_t req, fuse_ino_t ino, fuse_file_info* fi) {
  bridge_of(req).vfs.releasedir(to_ino(ino), to_handle(fi));
  fuse_reply_err(req, 0);
}

}  // namespace

void add_directory_ops(fuse_lowlevel_ops& ops) {
  ops.opendir = opendir;
  ops.readdir = readdir;
  ops.readdirplus = readdirplus;
  ops.releasedir = releasedir;
}

}  // namespace tusk::fuse
