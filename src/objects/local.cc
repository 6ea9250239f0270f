#include "objects/local.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "objects/location.h"
#include "tuskfs/base/fd.h"

// Objects as files of a local folder: FOLDER/TREE/ab/ID, where ab ends the id.
namespace tusk::objects {
namespace {

namespace fs = std::filesystem;

// Written back while more is coming, so that finish() has little left to wait for.
constexpr std::uint64_t kWriteBackBytes = 16 << 20;

std::unexpected<Error> failed(const std::string& what, const std::string& where, int code = errno) {
  return fail(code, fmt::format("cannot {} {}: {}", what, where, std::strerror(code)));
}

Result<void> sync_folder(const fs::path& folder) {
  const Fd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd || ::fsync(fd.get()) != 0) return failed("make durable the folder", folder);
  return {};
}

Result<void> write_at(int fd, ByteSpan bytes, std::uint64_t at, const std::string& where) {
  if (write_all_at(fd, bytes, at)) return {};
  return failed("write", where);
}

Result<std::size_t> read_all(int fd, std::span<std::uint8_t> into, std::uint64_t at,
                             const std::string& where) {
  std::size_t done = 0;
  while (done < into.size()) {
    const ssize_t n =
        ::pread(fd, into.data() + done, into.size() - done, static_cast<off_t>(at + done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return failed("read", where);
    if (n == 0) break;
    done += static_cast<std::size_t>(n);
  }
  return done;
}

// Shares the blocks where the disk can; else copies within the kernel, or at worst through here.
Result<void> copy_file(int from, int to, const std::string& where) {
  if (::ioctl(to, FICLONE, from) == 0) return {};
  off_t at = 0, out = 0;
  for (;;) {
    const ssize_t n = ::copy_file_range(from, &at, to, &out, 1 << 30, 0);
    if (n == 0) return {};
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) break;
  }
  if (errno == ENOSPC || errno == EDQUOT || errno == EIO) return failed("copy to", where);
  Buffer buffer(1 << 20);
  for (;;) {
    TRY_ASSIGN(const std::size_t n, read_all(from, buffer, static_cast<std::uint64_t>(at), where));
    if (n == 0) return {};
    TRY(write_at(to, ByteSpan(buffer).first(n), static_cast<std::uint64_t>(at), where));
    at += static_cast<off_t>(n);
  }
}

class LocalUpload final : public Upload {
 public:
  LocalUpload(Fd fd, fs::path path) : fd_(std::move(fd)), path_(std::move(path)) {}

  Result<void> write(std::uint64_t offset, ByteSpan bytes) override {
    TRY(write_at(fd_.get(), bytes, offset, path_));
    written_ += bytes.size();
    if (written_ < kWriteBackBytes) return {};
    // Only a head start: finish() finds what went wrong.
    written_ = 0;
    ::sync_file_range(fd_.get(), 0, 0, SYNC_FILE_RANGE_WRITE);
    return {};
  }

  Result<void> read(std::uint64_t offset, std::span<std::uint8_t> into) override {
    TRY_ASSIGN(const std::size_t n, read_all(fd_.get(), into, offset, path_));
    std::memset(into.data() + n, 0, into.size() - n);
    return {};
  }

  Result<void> finish(std::uint64_t size) override {
    if (::ftruncate(fd_.get(), static_cast<off_t>(size)) != 0) return failed("size", path_);
    // What the kernel could not write back it forgets: a second fsync would succeed for nothing.
    if (lost_ || ::fsync(fd_.get()) != 0) {
      lost_ = true;
      return fail(EIO, fmt::format("{} cannot be made durable: its disk failed", path_.string()));
    }
    if (::fchmod(fd_.get(), 0400) != 0) return failed("protect", path_);
    TRY(sync_folder(path_.parent_path()));
    return sync_folder(path_.parent_path().parent_path());
  }

 private:
  const Fd fd_;
  const fs::path path_;
  std::uint64_t written_ = 0;
  bool lost_ = false;
};

// The mark appears whole or not at all.
Result<void> write_mark(const fs::path& root, const std::string& text) {
  const fs::path mark = root / kMark, half = mark.string() + ".new";
  ::unlink(half.c_str());
  const Fd fd(::open(half.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0400));
  if (!fd) return failed("create", half);
  TRY(write_at(fd.get(), bytes_of(text), 0, half));
  if (::fsync(fd.get()) != 0) return failed("make durable", half);
  if (::rename(half.c_str(), mark.c_str()) != 0) return failed("create", mark);
  return sync_folder(root);
}

// Empty: there is none.
Result<std::optional<std::string>> read_mark(const fs::path& root) {
  const fs::path mark = root / kMark;
  const Fd fd(::open(mark.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd && errno == ENOENT) return std::nullopt;
  if (!fd) return failed("open", mark);
  Buffer buffer(kMarkBytes);
  TRY_ASSIGN(const std::size_t n, read_all(fd.get(), buffer, 0, mark));
  return std::string(buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(n));
}

class LocalObjects final : public Place {
 public:
  LocalObjects(fs::path root, std::string place, std::string mark)
      : root_(std::move(root)), place_(std::move(place)), mark_(std::move(mark)) {}

  const std::string& mark() const override { return mark_; }

  Result<void> change_mark(const std::string& text) override {
    TRY(write_mark(root_, text));
    mark_ = text;
    return {};
  }

  Result<std::unique_ptr<Upload>> create(Uuid id, std::optional<Base> base) override {
    const fs::path path = path_of(id);
    if (::mkdir(path.parent_path().c_str(), 0700) != 0 && errno != EEXIST)
      return failed("make the folder", path.parent_path());
    Fd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!fd) return failed("create", path);
    if (base) {
      const Fd from(::open(path_of(base->id).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
      if (!from) return failed("open", path_of(base->id));
      if (auto copied = copy_file(from.get(), fd.get(), path); !copied) {
        ::unlink(path.c_str());
        return std::unexpected(std::move(copied).error());
      }
    }
    return std::make_unique<LocalUpload>(std::move(fd), path);
  }

  Result<std::size_t> read(Uuid id, std::uint64_t offset, std::span<std::uint8_t> into) override {
    const fs::path path = path_of(id);
    const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (!fd) return failed("open", path);
    return read_all(fd.get(), into, offset, path);
  }

  Result<std::optional<std::uint64_t>> size(Uuid id) override {
    struct stat status;
    if (::lstat(path_of(id).c_str(), &status) == 0)
      return static_cast<std::uint64_t>(status.st_size);
    if (errno == ENOENT) return std::nullopt;
    return failed("look at", path_of(id));
  }

  Result<void> remove(Uuid id) override {
    if (::unlink(path_of(id).c_str()) == 0 || errno == ENOENT) return {};
    return failed("remove", path_of(id));
  }

  Result<void> list(const std::function<void(const Listed&)>& found) override {
    std::error_code broken;
    for (const auto& folder : fs::directory_iterator(root_, broken)) {
      if (!folder.is_directory()) continue;
      for (const auto& entry : fs::directory_iterator(folder.path(), broken))
        list_one(entry, found);
      if (broken) break;
    }
    if (broken) return failed("list", root_, broken.value());
    return {};
  }

  Result<void> save_as(Uuid id, const fs::path& target) override {
    const fs::path path = path_of(id);
    if (::link(path.c_str(), target.c_str()) == 0) return {};
    if (errno == ENOENT || errno == EEXIST) return failed("link", path);
    const Fd from(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (!from) return failed("open", path);
    const Fd to(::open(target.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0400));
    if (!to) return failed("create", target);
    TRY(copy_file(from.get(), to.get(), target));
    if (::fsync(to.get()) != 0) return failed("make durable", target);
    return {};
  }

  Result<void> restore_from(Uuid id, const fs::path& source) override {
    const fs::path path = path_of(id);
    const Fd from(::open(source.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (!from) return failed("open", source);
    TRY(remove(id));
    if (::mkdir(path.parent_path().c_str(), 0700) != 0 && errno != EEXIST)
      return failed("make the folder", path.parent_path());
    const Fd to(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0400));
    if (!to) return failed("create", path);
    TRY(copy_file(from.get(), to.get(), path));
    if (::fsync(to.get()) != 0) return failed("make durable", path);
    TRY(sync_folder(path.parent_path()));
    return sync_folder(root_);
  }

  std::string url(Uuid id) const override { return url_in(place_, id); }

 private:
  fs::path path_of(Uuid id) const { return root_ / key_of(id); }

  static void list_one(const fs::directory_entry& entry,
                       const std::function<void(const Listed&)>& found) {
    const auto id = id_in(entry.path().native());
    struct stat status;
    if (!id || ::lstat(entry.path().c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return;
    found({*id, static_cast<std::uint64_t>(status.st_size),
           WallTime{status.st_mtim.tv_sec * 1'000'000'000 + status.st_mtim.tv_nsec}});
  }

  const fs::path root_;
  const std::string place_;
  std::string mark_;
};

Result<void> make_folders(const fs::path& folder) {
  if (::mkdir(folder.c_str(), 0700) == 0 || errno == EEXIST) return {};
  if (errno != ENOENT || !folder.has_relative_path()) return failed("make the folder", folder);
  TRY(make_folders(folder.parent_path()));
  if (::mkdir(folder.c_str(), 0700) == 0 || errno == EEXIST) return {};
  return failed("make the folder", folder);
}

Result<void> make_place(const fs::path& root, const std::string& mark) {
  TRY(make_folders(root));
  TRY(write_mark(root, mark));
  return sync_folder(root.parent_path());
}

}  // namespace

Result<std::unique_ptr<Place>> open_local(const Options& options, const Opening& opening) {
  const std::string place = place_of(options);
  const fs::path root = place.substr(std::string_view("file://").size());
  if (!root.is_absolute())
    return fail(EINVAL, fmt::format("{} is neither an absolute folder nor s3://", root.string()));
  TRY_ASSIGN(std::optional<std::string> mark, read_mark(root));
  if (!mark) {
    if (!opening.fresh) {
      return fail(ENOENT, fmt::format("{} does not hold the objects of this tree", root.string()),
                  "is its disk mounted?");
    }
    TRY(make_place(root, opening.mark));
    mark = opening.mark;
  }
  return std::make_unique<LocalObjects>(root, place, std::move(*mark));
}

}  // namespace tusk::objects
