// The ceiling that scripts/bench.sh measures TuskFS against: a filesystem that only answers, from
// memory, with as few requests as the FUSE protocol allows, and waits for them as TuskFS does.
// `--asked-as-tuskfs` has the kernel send what a filesystem with permissions, ACLs and attributes
// is sent; the difference is what the protocol charges for them.
#define FUSE_USE_VERSION 314
#include <fcntl.h>
#include <fuse3/fuse_lowlevel.h>
#include <linux/fuse.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace {

constexpr double kForever = 1e6;
constexpr auto kSpin = std::chrono::microseconds(50);
constexpr unsigned kMaxWrite = 1 << 20;

struct Node {
  struct stat attr {};
  std::map<std::string, fuse_ino_t, std::less<>> entries;
  std::vector<char> data;
};

class Tree {
 public:
  Tree() { make(FUSE_ROOT_ID, S_IFDIR | 0755, 0, 0); }

  bool greeted = false;  // the answer to FUSE_INIT has gone out

  Node& at(fuse_ino_t ino) { return *nodes_.at(ino); }
  Node* find(fuse_ino_t parent, std::string_view name) {
    const auto& entries = at(parent).entries;
    const auto found = entries.find(name);
    return found == entries.end() ? nullptr : &at(found->second);
  }
  Node& add(fuse_req_t req, fuse_ino_t parent, const char* name, mode_t mode) {
    const fuse_ctx* caller = fuse_req_ctx(req);
    Node& node = make(++last_, mode, caller->uid, caller->gid);
    at(parent).entries[name] = last_;
    return node;
  }
  void remove(fuse_ino_t parent, const char* name) {
    auto& entries = at(parent).entries;
    const auto found = entries.find(name);
    // Its memory goes at once; an open file would still need it, and no workload does that.
    at(found->second).data = {};
    entries.erase(found);
  }

 private:
  Node& make(fuse_ino_t ino, mode_t mode, uid_t uid, gid_t gid) {
    auto node = std::make_unique<Node>();
    node->attr.st_ino = ino;
    node->attr.st_mode = mode;
    node->attr.st_nlink = S_ISDIR(mode) ? 2 : 1;
    node->attr.st_uid = uid;
    node->attr.st_gid = gid;
    ::clock_gettime(CLOCK_REALTIME, &node->attr.st_mtim);
    node->attr.st_atim = node->attr.st_ctim = node->attr.st_mtim;
    return *(nodes_[ino] = std::move(node));
  }

  std::unordered_map<fuse_ino_t, std::unique_ptr<Node>> nodes_;
  fuse_ino_t last_ = FUSE_ROOT_ID;
};

Tree& tree_of(fuse_req_t req) { return *static_cast<Tree*>(fuse_req_userdata(req)); }

fuse_entry_param entry_of(const Node& node) {
  fuse_entry_param entry{};
  entry.ino = node.attr.st_ino;
  entry.attr = node.attr;
  entry.attr_timeout = entry.entry_timeout = kForever;
  return entry;
}

void reply_entry(fuse_req_t req, const Node& node) {
  const fuse_entry_param entry = entry_of(node);
  fuse_reply_entry(req, &entry);
}

void init(void*, fuse_conn_info* conn) {
  conn->want |= conn->capable &
                (FUSE_CAP_PARALLEL_DIROPS | FUSE_CAP_CACHE_SYMLINKS | FUSE_CAP_NO_OPENDIR_SUPPORT);
  conn->want &= ~static_cast<unsigned>(FUSE_CAP_AUTO_INVAL_DATA | FUSE_CAP_SPLICE_READ);
  conn->max_write = kMaxWrite;
  conn->max_readahead = std::max(conn->max_readahead, kMaxWrite);
}

void init_as_tuskfs(void* userdata, fuse_conn_info* conn) {
  init(userdata, conn);
  conn->want |= conn->capable & FUSE_CAP_POSIX_ACL;
  conn->want &= ~static_cast<unsigned>(FUSE_CAP_NO_OPENDIR_SUPPORT);
}

void lookup(fuse_req_t req, fuse_ino_t parent, const char* name) {
  const Node* node = tree_of(req).find(parent, name);
  if (node != nullptr) return reply_entry(req, *node);
  fuse_entry_param absent{};
  absent.entry_timeout = kForever;
  fuse_reply_entry(req, &absent);
}

void getattr(fuse_req_t req, fuse_ino_t ino, fuse_file_info*) {
  fuse_reply_attr(req, &tree_of(req).at(ino).attr, kForever);
}

void setattr(fuse_req_t req, fuse_ino_t ino, struct stat* attr, int to_set, fuse_file_info*) {
  Node& node = tree_of(req).at(ino);
  if (to_set & FUSE_SET_ATTR_MODE) node.attr.st_mode = attr->st_mode;
  if (to_set & FUSE_SET_ATTR_UID) node.attr.st_uid = attr->st_uid;
  if (to_set & FUSE_SET_ATTR_GID) node.attr.st_gid = attr->st_gid;
  if (to_set & FUSE_SET_ATTR_MTIME) node.attr.st_mtim = attr->st_mtim;
  if (to_set & FUSE_SET_ATTR_SIZE) {
    node.data.resize(static_cast<std::size_t>(attr->st_size));
    node.attr.st_size = attr->st_size;
  }
  fuse_reply_attr(req, &node.attr, kForever);
}

void make_folder(fuse_req_t req, fuse_ino_t parent, const char* name, mode_t mode) {
  reply_entry(req, tree_of(req).add(req, parent, name, S_IFDIR | mode));
}

void make_node(fuse_req_t req, fuse_ino_t parent, const char* name, mode_t mode, dev_t) {
  reply_entry(req, tree_of(req).add(req, parent, name, mode));
}

void make_symlink(fuse_req_t req, const char* target, fuse_ino_t parent, const char* name) {
  Node& node = tree_of(req).add(req, parent, name, S_IFLNK | 0777);
  node.data.assign(target, target + std::strlen(target) + 1);
  node.attr.st_size = static_cast<off_t>(node.data.size()) - 1;
  reply_entry(req, node);
}

void read_link(fuse_req_t req, fuse_ino_t ino) {
  fuse_reply_readlink(req, tree_of(req).at(ino).data.data());
}

void make_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent, const char* name) {
  Node& node = tree_of(req).at(ino);
  tree_of(req).at(parent).entries[name] = ino;
  node.attr.st_nlink++;
  reply_entry(req, node);
}

void remove(fuse_req_t req, fuse_ino_t parent, const char* name) {
  tree_of(req).remove(parent, name);
  fuse_reply_err(req, 0);
}

void rename(fuse_req_t req, fuse_ino_t parent, const char* name, fuse_ino_t new_parent,
            const char* new_name, unsigned) {
  auto& from = tree_of(req).at(parent).entries;
  const auto found = from.find(name);
  const fuse_ino_t ino = found->second;
  from.erase(found);
  tree_of(req).at(new_parent).entries[new_name] = ino;
  fuse_reply_err(req, 0);
}

void create(fuse_req_t req, fuse_ino_t parent, const char* name, mode_t mode, fuse_file_info* fi) {
  const fuse_entry_param entry = entry_of(tree_of(req).add(req, parent, name, mode));
  fi->keep_cache = 1;
  fuse_reply_create(req, &entry, fi);
}

void open(fuse_req_t req, fuse_ino_t, fuse_file_info* fi) {
  fi->keep_cache = 1;
  fuse_reply_open(req, fi);
}

void open_folder(fuse_req_t req, fuse_ino_t, fuse_file_info* fi) {
  fi->keep_cache = fi->cache_readdir = 1;
  fuse_reply_open(req, fi);
}

void read(fuse_req_t req, fuse_ino_t ino, std::size_t size, off_t offset, fuse_file_info*) {
  const auto& data = tree_of(req).at(ino).data;
  const auto from = std::min(static_cast<std::size_t>(offset), data.size());
  fuse_reply_buf(req, data.data() + from, std::min(size, data.size() - from));
}

void write(fuse_req_t req, fuse_ino_t ino, const char* bytes, std::size_t size, off_t offset,
           fuse_file_info*) {
  Node& node = tree_of(req).at(ino);
  const std::size_t end = static_cast<std::size_t>(offset) + size;
  if (node.data.size() < end) node.data.resize(end);
  std::memcpy(node.data.data() + offset, bytes, size);
  node.attr.st_size = static_cast<off_t>(node.data.size());
  fuse_reply_write(req, size);
}

void done(fuse_req_t req, fuse_ino_t, fuse_file_info*) { fuse_reply_err(req, 0); }
void synced(fuse_req_t req, fuse_ino_t, int, fuse_file_info*) { fuse_reply_err(req, 0); }
void no_attribute(fuse_req_t req, fuse_ino_t, const char* name, std::size_t) {
  const bool label = std::string_view(name) == "security.selinux";
  fuse_reply_err(req, label ? EOPNOTSUPP : ENODATA);
}

void read_folder(fuse_req_t req, fuse_ino_t ino, std::size_t size, off_t offset, fuse_file_info*) {
  std::vector<char> page(size);
  std::size_t used = 0;
  const auto& entries = tree_of(req).at(ino).entries;
  auto at = std::next(entries.begin(), std::min<off_t>(offset, static_cast<off_t>(entries.size())));
  for (off_t next = offset + 1; at != entries.end(); ++at, ++next) {
    const fuse_entry_param entry = entry_of(tree_of(req).at(at->second));
    const std::size_t needed = fuse_add_direntry_plus(req, page.data() + used, size - used,
                                                      at->first.c_str(), &entry, next);
    if (needed > size - used) break;
    used += needed;
  }
  fuse_reply_buf(req, page.data(), used);
}

void statfs(fuse_req_t req, fuse_ino_t) {
  struct statvfs out {};
  out.f_bsize = out.f_frsize = 4096;
  out.f_blocks = out.f_bfree = out.f_bavail = 1 << 28;
  out.f_namemax = 255;
  fuse_reply_statfs(req, &out);
}

fuse_lowlevel_ops make_ops(bool as_tuskfs) {
  fuse_lowlevel_ops ops{};
  ops.init = as_tuskfs ? init_as_tuskfs : init;
  ops.lookup = lookup;
  ops.getattr = getattr;
  ops.setattr = setattr;
  ops.mkdir = make_folder;
  ops.mknod = make_node;
  ops.symlink = make_symlink;
  ops.readlink = read_link;
  ops.link = make_link;
  ops.unlink = ops.rmdir = remove;
  ops.rename = rename;
  ops.create = create;
  ops.open = open;
  ops.read = read;
  ops.write = write;
  ops.release = done;
  ops.fsync = synced;
  ops.readdirplus = read_folder;
  ops.statfs = statfs;
  if (as_tuskfs) {
    ops.opendir = open_folder;
    ops.releasedir = done;
    ops.getxattr = no_attribute;
  }
  return ops;
}

ssize_t read_request(int fd, void* buffer, std::size_t size, void*) {
  return ::read(fd, buffer, size);
}

// libfuse 3.14 cannot ask for the flag that keeps writes from asking for security.capability.
ssize_t write_reply(int fd, iovec* pieces, int count, void* tree) {
  if (!std::exchange(static_cast<Tree*>(tree)->greeted, true) && count == 2) {
    static_cast<fuse_init_out*>(pieces[1].iov_base)->flags |= FUSE_HANDLE_KILLPRIV_V2;
  }
  return ::writev(fd, pieces, count);
}

void take_over_io(fuse_session* session) {
  fuse_custom_io io{};
  io.read = read_request;
  io.writev = write_reply;
  fuse_session_custom_io(session, &io, fuse_session_fd(session));
}

int serve(fuse_session* session) {
  using Clock = std::chrono::steady_clock;
  const int fd = fuse_session_fd(session);
  ::fcntl(fd, F_SETFL, O_NONBLOCK);
  fuse_buf buffer{};
  auto busy = Clock::now();
  while (!fuse_session_exited(session)) {
    const int got = fuse_session_receive_buf(session, &buffer);
    if (got > 0) fuse_session_process_buf(session, &buffer);
    if (got <= 0 && got != -EAGAIN && got != -EINTR) break;
    const auto now = Clock::now();
    if (got > 0) busy = now;
    if (now - busy < kSpin) continue;
    pollfd request{fd, POLLIN, 0};
    ::poll(&request, 1, -1);
    busy = Clock::now();
  }
  std::free(buffer.mem);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const bool as_tuskfs = argc == 3 && std::string_view(argv[1]) == "--asked-as-tuskfs";
  if (argc != 2 && !as_tuskfs) {
    std::fputs("usage: ceiling [--asked-as-tuskfs] MOUNTPOINT\n", stderr);
    return 2;
  }
  std::string name = "ceiling", dash_o = "-o", options = "fsname=ceiling,subtype=ceiling";
  if (as_tuskfs) options += ",default_permissions";
  char* args_of_fuse[] = {name.data(), dash_o.data(), options.data(), nullptr};
  fuse_args args = FUSE_ARGS_INIT(3, args_of_fuse);
  Tree tree;
  const fuse_lowlevel_ops ops = make_ops(as_tuskfs);
  fuse_session* session = fuse_session_new(&args, &ops, sizeof ops, &tree);
  if (session == nullptr || fuse_session_mount(session, argv[argc - 1]) != 0) return 1;
  if (as_tuskfs) take_over_io(session);
  const int status = serve(session);
  fuse_session_unmount(session);
  fuse_session_destroy(session);
  return status;
}
