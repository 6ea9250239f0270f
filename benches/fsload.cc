// The load program of scripts/bench.sh. Each command prints "COUNT SECONDS" of its timed part, and
// exits 1 with a line when anything it wrote, read or found is not what it should be.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <functional>
#include <map>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

#include "tuskfs/base/fd.h"

namespace {

using tusk::Fd;

constexpr std::size_t kFileBytes = 4096, kBlockBytes = 4096, kMebibyte = 1 << 20;
constexpr std::uint64_t kBlocksPerMebibyte = kMebibyte / kBlockBytes;

[[noreturn]] void die(const std::string& what, const std::string& path) {
  throw std::system_error(errno, std::generic_category(), what + " " + path);
}
[[noreturn]] void wrong(const std::string& what, const std::string& path) {
  throw std::runtime_error("wrong " + what + ": " + path);
}

double seconds_of(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// Bytes that do not compress and follow from the seed (splitmix64).
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next() {
    std::uint64_t z = state_ += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  void fill(char* target, std::size_t size) {
    for (std::size_t i = 0; i < size; i += 8) {
      const std::uint64_t word = next();
      std::memcpy(target + i, &word, 8);
    }
  }

 private:
  std::uint64_t state_;
};

Fd open_file(const std::string& path, int flags) {
  Fd fd(::open(path.c_str(), flags | O_CLOEXEC, 0644));
  if (!fd) die("open", path);
  return fd;
}

void close_file(Fd fd, const std::string& path) {
  if (::close(fd.release()) != 0) die("close", path);
}

void write_at(const Fd& fd, const char* bytes, std::size_t size, std::uint64_t offset,
              const std::string& path) {
  if (::pwrite(fd.get(), bytes, size, static_cast<off_t>(offset)) != static_cast<ssize_t>(size))
    die("write", path);
}

void read_at(const Fd& fd, char* bytes, std::size_t size, std::uint64_t offset,
             const std::string& path) {
  std::size_t have = 0;
  while (have < size) {
    const ssize_t got =
        ::pread(fd.get(), bytes + have, size - have, static_cast<off_t>(offset + have));
    if (got <= 0) die("read", path);
    have += static_cast<std::size_t>(got);
  }
}

// A tree of `files` files of 4 KiB, spread over `folders` folders.
struct Tree {
  std::string top;
  std::uint64_t files, folders;

  std::string folder(std::uint64_t n) const { return fmt::format("{}/d{:03}", top, n); }
  std::string file(std::uint64_t n) const {
    return fmt::format("{}/f{:06}", folder(n % folders), n);
  }
};

void make_folders(const Tree& tree) {
  if (::mkdir(tree.top.c_str(), 0755) != 0) die("mkdir", tree.top);
  for (std::uint64_t n = 0; n < tree.folders; n++) {
    if (::mkdir(tree.folder(n).c_str(), 0755) != 0) die("mkdir", tree.folder(n));
  }
}

void create_files(const Tree& tree, std::uint64_t from, std::uint64_t to, bool sync) {
  std::array<char, kFileBytes> content;
  for (std::uint64_t n = from; n < to; n++) {
    const std::string path = tree.file(n);
    Random(n).fill(content.data(), content.size());
    Fd fd = open_file(path, O_CREAT | O_EXCL | O_WRONLY);
    if (::write(fd.get(), content.data(), content.size()) != static_cast<ssize_t>(content.size()))
      die("write", path);
    if (sync && ::fsync(fd.get()) != 0) die("fsync", path);
    close_file(std::move(fd), path);
  }
}

void create_in_processes(const Tree& tree, std::uint64_t processes) {
  for (std::uint64_t k = 0; k < processes; k++) {
    const pid_t pid = ::fork();
    if (pid < 0) die("fork", tree.top);
    if (pid != 0) continue;
    try {
      create_files(tree, tree.files * k / processes, tree.files * (k + 1) / processes, false);
    } catch (const std::exception& e) {
      fmt::print(stderr, "fsload: {}\n", e.what());
      ::_exit(1);
    }
    ::_exit(0);
  }
  bool failed = false;
  for (std::uint64_t k = 0; k < processes; k++) {
    int status = 0;
    failed |= ::wait(&status) < 0 || status != 0;
  }
  if (failed) throw std::runtime_error("a writing process failed");
}

void stat_files(const Tree& tree) {
  for (std::uint64_t n = 0; n < tree.files; n++) {
    struct stat st {};
    const std::string path = tree.file(n);
    if (::lstat(path.c_str(), &st) != 0) die("stat", path);
    if (!S_ISREG(st.st_mode) || st.st_size != static_cast<off_t>(kFileBytes))
      wrong("type or size", path);
  }
}

void read_files(const Tree& tree) {
  std::array<char, kFileBytes> got, expected;
  for (std::uint64_t n = 0; n < tree.files; n++) {
    const std::string path = tree.file(n);
    Fd fd = open_file(path, O_RDONLY);
    read_at(fd, got.data(), got.size(), 0, path);
    close_file(std::move(fd), path);
    Random(n).fill(expected.data(), expected.size());
    if (got != expected) wrong("content", path);
  }
}

// A big file is one random mebibyte over and over; each block of it starts with its own number and
// how often it was overwritten.
class Pattern {
 public:
  Pattern() : bytes_(kMebibyte) { Random(7).fill(bytes_.data(), bytes_.size()); }
  const char* mebibyte(std::uint64_t n) {
    for (std::uint64_t b = 0; b < kBlocksPerMebibyte; b++) stamp(n * kBlocksPerMebibyte + b, 0);
    return bytes_.data();
  }
  const char* block(std::uint64_t n, std::uint64_t version) { return stamp(n, version); }

 private:
  char* stamp(std::uint64_t block, std::uint64_t version) {
    char* at = bytes_.data() + block % kBlocksPerMebibyte * kBlockBytes;
    std::memcpy(at, &block, sizeof block);
    std::memcpy(at + sizeof block, &version, sizeof version);
    return at;
  }
  std::vector<char> bytes_;
};

void write_big(const std::string& path, std::uint64_t mebibytes) {
  Pattern pattern;
  Fd fd = open_file(path, O_CREAT | O_TRUNC | O_WRONLY);
  for (std::uint64_t n = 0; n < mebibytes; n++)
    write_at(fd, pattern.mebibyte(n), kMebibyte, n * kMebibyte, path);
  if (::fsync(fd.get()) != 0) die("fsync", path);
  close_file(std::move(fd), path);
}

void read_big(const std::string& path, std::uint64_t mebibytes) {
  Pattern pattern;
  std::vector<char> got(kMebibyte);
  const Fd fd = open_file(path, O_RDONLY);
  struct stat st {};
  if (::fstat(fd.get(), &st) != 0) die("stat", path);
  if (st.st_size != static_cast<off_t>(mebibytes * kMebibyte)) wrong("size", path);
  for (std::uint64_t n = 0; n < mebibytes; n++) {
    read_at(fd, got.data(), got.size(), n * kMebibyte, path);
    if (std::memcmp(got.data(), pattern.mebibyte(n), kMebibyte) != 0) wrong("content", path);
  }
}

// Calls `visit(block, version)` for the random writes in their order, the same every time.
void random_writes(std::uint64_t mebibytes, std::uint64_t writes,
                   const std::function<void(std::uint64_t, std::uint64_t)>& visit) {
  Random random(11);
  for (std::uint64_t n = 1; n <= writes; n++)
    visit(random.next() % (mebibytes * kBlocksPerMebibyte), n);
}

void write_randomly(const std::string& path, std::uint64_t mebibytes, std::uint64_t writes) {
  Pattern pattern;
  Fd fd = open_file(path, O_RDWR);
  random_writes(mebibytes, writes, [&](std::uint64_t block, std::uint64_t version) {
    write_at(fd, pattern.block(block, version), kBlockBytes, block * kBlockBytes, path);
  });
  if (::fsync(fd.get()) != 0) die("fsync", path);
  close_file(std::move(fd), path);
}

void check_randomly_written(const std::string& path, std::uint64_t mebibytes,
                            std::uint64_t writes) {
  std::map<std::uint64_t, std::uint64_t> last;
  random_writes(mebibytes, writes,
                [&](std::uint64_t block, std::uint64_t version) { last[block] = version; });
  Pattern pattern;
  std::array<char, kBlockBytes> got;
  const Fd fd = open_file(path, O_RDONLY);
  for (std::uint64_t block = 0; block < mebibytes * kBlocksPerMebibyte; block++) {
    read_at(fd, got.data(), got.size(), block * kBlockBytes, path);
    const auto found = last.find(block);
    const char* expected = pattern.block(block, found == last.end() ? 0 : found->second);
    if (std::memcmp(got.data(), expected, kBlockBytes) != 0)
      wrong(fmt::format("block {}", block), path);
  }
}

constexpr std::string_view kUsage =
    "usage: fsload create TOP FILES FOLDERS [PROCESSES]\n"
    "       fsload create_fsync | stat | read TOP FILES FOLDERS\n"
    "       fsload seqwrite | seqread PATH MIB\n"
    "       fsload randwrite | randcheck PATH MIB WRITES\n";

struct Measured {
  std::uint64_t count;
  double seconds;
};

Measured run_tree(const std::string& command, const Tree& tree, std::uint64_t processes) {
  if (command.starts_with("create")) make_folders(tree);
  const std::map<std::string, std::function<void()>> commands = {
      {"create",
       [&] {
         processes == 1 ? create_files(tree, 0, tree.files, false)
                        : create_in_processes(tree, processes);
       }},
      {"create_fsync", [&] { create_files(tree, 0, tree.files, true); }},
      {"stat", [&] { stat_files(tree); }},
      {"read", [&] { read_files(tree); }}};
  return {tree.files, seconds_of(commands.at(command))};
}

Measured run_file(const std::string& command, const std::string& path, std::uint64_t mebibytes,
                  std::uint64_t writes) {
  const std::map<std::string, std::function<void()>> commands = {
      {"seqwrite", [&] { write_big(path, mebibytes); }},
      {"seqread", [&] { read_big(path, mebibytes); }},
      {"randwrite", [&] { write_randomly(path, mebibytes, writes); }},
      {"randcheck", [&] { check_randomly_written(path, mebibytes, writes); }}};
  return {writes == 0 ? mebibytes : writes, seconds_of(commands.at(command))};
}

Measured run(const std::vector<std::string>& args) {
  const std::string& command = args.at(0);
  const auto number = [&](std::size_t i) { return std::stoull(args.at(i)); };
  if (command.starts_with("seq")) return run_file(command, args.at(1), number(2), 0);
  if (command.starts_with("rand")) return run_file(command, args.at(1), number(2), number(3));
  const Tree tree{args.at(1), number(2), number(3)};
  return run_tree(command, tree, args.size() > 4 ? number(4) : 1);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const Measured measured = run({argv + 1, argv + argc});
    fmt::print("{} {:.6f}\n", measured.count, measured.seconds);
    return 0;
  } catch (const std::logic_error&) {  // an argument is missing, unknown or no number
    fmt::print(stderr, "{}", kUsage);
    return 2;
  } catch (const std::exception& e) {
    fmt::print(stderr, "fsload: {}\n", e.what());
    return 1;
  }
}
