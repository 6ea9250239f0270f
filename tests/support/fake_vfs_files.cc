#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "support/fake_vfs.h"

namespace tusk::test {

void FakeVfs::open(const vfs::Call& call, Ino ino, int flags, vfs::Reply<vfs::Opened> reply) {
  verb("open", call, std::move(reply), [&]() -> vfs::Outcome<vfs::Opened> {
    if (flags & O_TRUNC) {
      node(ino).data.clear();
      node(ino).attr.size = 0;
    }
    return vfs::Opened{open_handle(ino)};
  });
}

void FakeVfs::create(const vfs::Call& call, Ino parent, std::string_view name, mode_t mode,
                     int /*flags*/, vfs::Reply<vfs::Created> reply) {
  verb("create", call, std::move(reply), [&]() -> vfs::Outcome<vfs::Created> {
    const auto made = make(call, parent, name, S_IFREG | mode);
    if (!made) return std::unexpected(made.error());
    const vfs::Entry entry = counted(**made);
    return vfs::Created{entry, {open_handle(entry.attr.ino)}};
  });
}

// In pieces, as content in chunks comes.
void FakeVfs::read(const vfs::Call& call, Ino ino, Handle, std::uint64_t offset, std::size_t size,
                   vfs::Reply<vfs::Content> reply) {
  verb("read", call, std::move(reply), [&]() -> vfs::Outcome<vfs::Content> {
    constexpr std::size_t kPiece = 3000;
    const ByteSpan data = node(ino).data;
    vfs::Content content;
    while (content.size < size && offset < data.size()) {
      const ByteSpan rest = data.subspan(offset);
      content.pieces.push_back(rest.first(std::min({rest.size(), kPiece, size - content.size})));
      content.size += content.pieces.back().size();
      offset += content.pieces.back().size();
    }
    return content;
  });
}

void FakeVfs::write(const vfs::Call& call, Ino ino, Handle, std::uint64_t offset, ByteSpan data,
                    vfs::Reply<std::size_t> reply) {
  verb("write", call, std::move(reply), [&]() -> vfs::Outcome<std::size_t> {
    Node& written = node(ino);
    const std::size_t end = offset + data.size();
    if (written.data.size() < end) written.data.resize(end);
    std::ranges::copy(data, written.data.begin() + static_cast<std::ptrdiff_t>(offset));
    written.attr.size = written.data.size();
    written.attr.blocks = (written.attr.size + 511) / 512;
    written.attr.mtime = written.attr.ctime = fake_now();
    return data.size();
  });
}

void FakeVfs::flush(const vfs::Call& call, Ino, Handle, vfs::Reply<void> reply) {
  verb("flush", call, std::move(reply), []() -> vfs::Outcome<void> { return {}; });
}

void FakeVfs::release(Ino, Handle handle) {
  calls_.emplace_back("release");
  close_handle(handle);
}

void FakeVfs::fsync(const vfs::Call& call, Ino, Handle, vfs::Reply<void> reply) {
  verb("fsync", call, std::move(reply), []() -> vfs::Outcome<void> { return {}; });
}

void FakeVfs::opendir(const vfs::Call& call, Ino ino, vfs::Reply<vfs::Opened> reply) {
  verb("opendir", call, std::move(reply), [&]() -> vfs::Outcome<vfs::Opened> {
    const Handle handle = open_handle(ino);
    auto& entries = handles_.at(handle).entries;
    entries = {{".", ino}, {"..", kRootIno}};
    entries.insert(entries.end(), node(ino).entries.begin(), node(ino).entries.end());
    return vfs::Opened{handle};
  });
}

void FakeVfs::readdir(const vfs::Call& call, Ino, Handle handle, std::uint64_t offset,
                      std::size_t limit, bool plus, vfs::Reply<std::vector<vfs::DirEntry>> reply) {
  verb(plus ? "readdirplus" : "readdir", call, std::move(reply),
       [&]() -> vfs::Outcome<std::vector<vfs::DirEntry>> {
         std::vector<vfs::DirEntry> page;
         const auto& entries = handles_.at(handle).entries;
         for (std::size_t i = offset; i < entries.size() && page.size() < limit; i++) {
           const auto& [name, ino] = entries[i];
           if (!nodes_.contains(ino)) continue;
           vfs::DirEntry entry{name, i + 1, node(ino).attr, plus && i >= 2};
           if (entry.counted) node(ino).lookups++;
           page.push_back(entry);
         }
         return page;
       });
}

void FakeVfs::releasedir(Ino, Handle handle) {
  calls_.emplace_back("releasedir");
  close_handle(handle);
}

void FakeVfs::fsyncdir(const vfs::Call& call, Ino, vfs::Reply<void> reply) {
  verb("fsyncdir", call, std::move(reply), []() -> vfs::Outcome<void> { return {}; });
}

void FakeVfs::statfs(const vfs::Call& call, vfs::Reply<vfs::Statfs> reply) {
  verb("statfs", call, std::move(reply), [&]() -> vfs::Outcome<vfs::Statfs> {
    vfs::Statfs out;
    out.blocks = 1000;
    out.blocks_free = 600;
    out.blocks_available = 500;
    out.files = 200;
    out.files_free = 100;
    return out;
  });
}

void FakeVfs::setxattr(const vfs::Call& call, Ino ino, std::string_view name, ByteSpan value,
                       int flags, vfs::Reply<void> reply) {
  verb("setxattr", call, std::move(reply), [&]() -> vfs::Outcome<void> {
    auto& xattrs = node(ino).xattrs;
    const bool exists = xattrs.contains(name);
    if (exists && (flags & XATTR_CREATE)) return vfs::error(EEXIST);
    if (!exists && (flags & XATTR_REPLACE)) return vfs::error(ENODATA);
    xattrs[std::string(name)].assign(value.begin(), value.end());
    return {};
  });
}

void FakeVfs::getxattr(const vfs::Call& call, Ino ino, std::string_view name,
                       vfs::Reply<ByteSpan> reply) {
  verb("getxattr", call, std::move(reply), [&]() -> vfs::Outcome<ByteSpan> {
    const auto& xattrs = node(ino).xattrs;
    const auto found = xattrs.find(name);
    if (found == xattrs.end()) return vfs::error(ENODATA);
    return ByteSpan(found->second);
  });
}

void FakeVfs::listxattr(const vfs::Call& call, Ino ino, vfs::Reply<std::string_view> reply) {
  verb("listxattr", call, std::move(reply), [&]() -> vfs::Outcome<std::string_view> {
    listed_names_.clear();
    for (const auto& [name, value] : node(ino).xattrs) {
      listed_names_ += name;
      listed_names_ += '\0';
    }
    return listed_names_;
  });
}

void FakeVfs::removexattr(const vfs::Call& call, Ino ino, std::string_view name,
                          vfs::Reply<void> reply) {
  verb("removexattr", call, std::move(reply), [&]() -> vfs::Outcome<void> {
    if (node(ino).xattrs.erase(std::string(name)) == 0) return vfs::error(ENODATA);
    return {};
  });
}

void FakeVfs::fallocate(const vfs::Call& call, Ino ino, Handle, int mode, std::uint64_t offset,
                        std::uint64_t size, vfs::Reply<void> reply) {
  verb("fallocate", call, std::move(reply), [&]() -> vfs::Outcome<void> {
    if (mode & FALLOC_FL_COLLAPSE_RANGE) return vfs::error(EOPNOTSUPP);
    Node& allocated = node(ino);
    if (!(mode & FALLOC_FL_KEEP_SIZE) && allocated.data.size() < offset + size) {
      allocated.data.resize(offset + size);
      allocated.attr.size = offset + size;
    }
    return {};
  });
}

void FakeVfs::clone(const vfs::Call& call, Ino source, Ino target, vfs::Reply<void> reply) {
  verb("clone", call, std::move(reply), [&]() -> vfs::Outcome<void> {
    node(target).data = node(source).data;
    node(target).attr.size = node(source).attr.size;
    return {};
  });
}

void FakeVfs::copy_file_range(const vfs::Call& call, const vfs::CopyRange& range,
                              vfs::Reply<std::size_t> reply) {
  verb("copy_file_range", call, std::move(reply), [&]() -> vfs::Outcome<std::size_t> {
    const auto& source = node(range.source).data;
    Node& target = node(range.target);
    if (range.source_offset >= source.size()) return 0;
    const std::size_t size = std::min(range.size, source.size() - range.source_offset);
    const std::vector<std::uint8_t> copy(
        source.begin() + static_cast<std::ptrdiff_t>(range.source_offset),
        source.begin() + static_cast<std::ptrdiff_t>(range.source_offset + size));
    if (target.data.size() < range.target_offset + size)
      target.data.resize(range.target_offset + size);
    std::ranges::copy(copy, target.data.begin() + static_cast<std::ptrdiff_t>(range.target_offset));
    target.attr.size = target.data.size();
    return size;
  });
}

// Files here have no holes but the one at the end.
void FakeVfs::lseek(const vfs::Call& call, Ino ino, std::uint64_t offset, int whence,
                    vfs::Reply<std::uint64_t> reply) {
  verb("lseek", call, std::move(reply), [&]() -> vfs::Outcome<std::uint64_t> {
    if (offset >= node(ino).data.size()) return vfs::error(ENXIO);
    return whence == SEEK_DATA ? offset : node(ino).data.size();
  });
}

}  // namespace tusk::test
