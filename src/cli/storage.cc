// Where the content of files is kept, through an extended attribute of each.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/report.h"
#include "cli/verbs.h"
#include "tuskfs/base/bytes.h"
#include "tuskfs/base/fd.h"

namespace tusk::cli {
namespace {

namespace fs = std::filesystem;

constexpr const char* kTier = "user.tusk.tier";
constexpr std::size_t kPieceBytes = 1 << 20;
constexpr std::size_t kPageBytes = 4096;

struct Amount {
  std::int64_t files = 0, bytes = 0;
};

std::unexpected<Error> failed(const std::string& what, const fs::path& path) {
  return fail(errno, fmt::format("cannot {} {}: {}", what, path.string(), std::strerror(errno)));
}

Result<bool> is_outside(const fs::path& path) {
  std::array<char, 16> text{};
  if (::getxattr(path.c_str(), kTier, text.data(), text.size() - 1) < 0) {
    if (errno != ENODATA && errno != EOPNOTSUPP) return failed("ask where it is:", path);
    return fail(EINVAL, path.string() + " is not in a TuskFS mount", "see tuskfs status");
  }
  return std::string_view(text.data()) == "external";
}

// Past the kernel's cache, so that it is the stored content.
Result<Checksum> stored_checksum(const fs::path& path) {
  const Fd fd(::open(path.c_str(), O_RDONLY | O_DIRECT | O_CLOEXEC | O_NOFOLLOW));
  if (!fd) return failed("open", path);
  const std::unique_ptr<std::uint8_t, decltype(&std::free)> piece(
      static_cast<std::uint8_t*>(std::aligned_alloc(kPageBytes, kPieceBytes)), &std::free);
  RunningHash hash;
  while (true) {
    const ssize_t n = ::read(fd.get(), piece.get(), kPieceBytes);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return failed("read", path);
    if (n == 0) return hash.digest();
    hash.update({piece.get(), static_cast<std::size_t>(n)});
  }
}

class Storage {
 public:
  explicit Storage(const StorageRequest& request) : request_(request) {}

  Result<void> run() {
    on_terminal_ = ::isatty(STDERR_FILENO) != 0 && request_.action == StorageAction::move;
    const fs::path path = request_.path;
    std::error_code broken;
    if (!fs::is_directory(fs::symlink_status(path, broken))) {
      if (broken) return fail(broken.value(), broken.message() + ": " + path.string());
      TRY(visit(path));
    } else {
      TRY(walk(path));
    }
    if (on_terminal_) fmt::print(stderr, "\r\033[K");
    tell();
    return {};
  }

 private:
  Result<void> walk(const fs::path& folder) {
    std::error_code broken;
    for (auto it = fs::recursive_directory_iterator(folder, broken); !broken && it != end(it);
         it.increment(broken)) {
      TRY(visit(it->path()));
    }
    if (broken) return fail(broken.value(), "cannot list " + folder.string());
    return {};
  }

  Result<void> visit(const fs::path& path) {
    struct stat status;
    if (::lstat(path.c_str(), &status) != 0) return failed("look at", path);
    if (!S_ISREG(status.st_mode)) return {};
    TRY_ASSIGN(bool outside, is_outside(path));
    const bool wrong = request_.action == StorageAction::move && outside != request_.out;
    if (wrong && status.st_size > 0) {
      TRY(move(path));
      outside = request_.out;
      count(moved_, status.st_size);
      if (on_terminal_)
        fmt::print(stderr, "\r\033[K{} files, {} MB", moved_.files, moved_.bytes / 1'000'000);
    }
    count(outside ? external_ : inside_, status.st_size);
    return {};
  }

  Result<void> move(const fs::path& path) {
    TRY_ASSIGN(const Checksum before, stored_checksum(path));
    const std::string_view to = request_.out ? "external" : "db";
    if (::setxattr(path.c_str(), kTier, to.data(), to.size(), 0) != 0) {
      if (errno == EOPNOTSUPP)
        return fail(errno, "the mount has no place for objects", "mount it with --objects");
      return failed("move", path);
    }
    const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (!fd || ::fsync(fd.get()) != 0) return failed("make durable", path);
    TRY_ASSIGN(const Checksum after, stored_checksum(path));
    if (before == after) return {};
    return fail(EIO, fmt::format("{} is not what it was before it was moved", path.string()),
                "was it written to meanwhile? if not, see tuskfs log and tuskfs restore");
  }

  static void count(Amount& amount, off_t bytes) {
    amount.files++;
    amount.bytes += bytes;
  }

  void tell() const {
    const auto json_of = [](const Amount& amount) {
      return nlohmann::ordered_json{{"files", amount.files}, {"bytes", amount.bytes}};
    };
    const bool moves = request_.action == StorageAction::move;
    if (request_.json) {
      nlohmann::ordered_json all{{"db", json_of(inside_)}, {"external", json_of(external_)}};
      if (moves) all["moved"] = json_of(moved_);
      fmt::print("{}\n", all.dump(2));
      return;
    }
    if (moves) fmt::print("moved {} files, {} bytes\n", moved_.files, moved_.bytes);
    fmt::print("db        {:>8} files {:>16} bytes\n", inside_.files, inside_.bytes);
    fmt::print("external  {:>8} files {:>16} bytes\n", external_.files, external_.bytes);
  }

  const StorageRequest& request_;
  bool on_terminal_ = false;
  Amount inside_, external_, moved_;
};

}  // namespace

int storage(const StorageRequest& request) {
  const auto done = Storage(request).run();
  return done ? kDone : report(done.error());
}

}  // namespace tusk::cli
