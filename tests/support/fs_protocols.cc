#include "support/fs_protocols.h"

#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

namespace tusk::test {
namespace {

using Findings = std::vector<std::string>;

void sync(const Path& path) {
  if (::fsync(open_file(path, O_RDONLY).get()) != 0) throw_errno("fsync");
}
void sync(SyncBy by, const Path& file) { sync(by == SyncBy::file ? file : file.parent_path()); }
void move(const Path& from, const Path& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) throw_errno("rename");
}
void remove_file(const Path& path) {
  if (::unlink(path.c_str()) != 0) throw_errno("unlink");
}

// Runs numbered operations until it is enough, with an fsync now and then.
template <class Operation, class Sync>
void in_order(Progress& progress, std::uint64_t sync_every, Operation operation, Sync sync_now) {
  for (std::uint64_t k = progress.done + 1; !progress.enough; k++) {
    progress.begun = k;
    operation(k);
    progress.done = k;
    if (k % sync_every != 0) continue;
    sync_now(k);
    progress.synced = k;
  }
}

// Content that tells its number and length, of a size from nothing to several chunks.
std::string numbered(std::uint64_t k) {
  const std::size_t sizes[] = {10, 3'000, 70'000, 20, 500, 1'300'000, 8'000, 200'000};
  return std::to_string(k) + "\n" + pattern(sizes[k % 8], k);
}

// The number that a numbered content begins with, 0 when it is not whole.
std::uint64_t number_of(const std::string& content) {
  const std::uint64_t k = std::strtoull(content.c_str(), nullptr, 10);
  return k != 0 && content == numbered(k) ? k : 0;
}

std::uint64_t number_in(const std::string& name) {
  return std::strtoull(name.c_str() + 1, nullptr, 10);
}

void complain_unless(bool fine, Findings& findings, const std::string& what) {
  if (!fine) findings.push_back(what);
}

std::string bounds(const Progress& progress) {
  return " (synced " + std::to_string(progress.synced) + ", done " + std::to_string(progress.done) +
         ", begun " + std::to_string(progress.begun) + ")";
}

void judge_reached(std::uint64_t reached, const Progress& progress, Findings& findings) {
  complain_unless(
      reached >= progress.synced, findings,
      "synced operations are lost: reached " + std::to_string(reached) + bounds(progress));
  complain_unless(
      reached <= progress.begun, findings,
      "more is there than was begun: reached " + std::to_string(reached) + bounds(progress));
}

// Files f1, f2, …; what is there must be f1 … fn, all whole but the last, which may be empty or end
// between two writes when the crash came before its close.
class NumberedFiles : public Protocol {
 public:
  explicit NumberedFiles(SyncBy by) : by_(by) {}
  void prepare(const Path&) override {}
  void work(const Path& folder, Progress& progress) override {
    in_order(
        progress, 7, [&](std::uint64_t k) { put(folder / ("f" + std::to_string(k)), numbered(k)); },
        [&](std::uint64_t k) { sync(by_, folder / ("f" + std::to_string(k))); });
  }
  Findings judge(const Path& folder, const Progress& progress) override {
    Findings findings;
    std::vector<std::uint64_t> numbers;
    for (const std::string& name : names_in(folder)) numbers.push_back(number_in(name));
    std::sort(numbers.begin(), numbers.end());
    for (std::size_t i = 0; i < numbers.size(); i++) {
      complain_unless(numbers[i] == i + 1, findings,
                      "f" + std::to_string(numbers[i]) + " without its predecessor");
      const std::string content = get(folder / ("f" + std::to_string(numbers[i])));
      const bool last = numbers[i] == numbers.back();  // the moment may lie before its close
      const bool whole = number_of(content) == numbers[i];
      complain_unless(whole || (last && numbered(numbers[i]).starts_with(content)), findings,
                      "f" + std::to_string(numbers[i]) + " is torn: " +
                          std::to_string(content.size()) + " bytes" + bounds(progress));
    }
    judge_reached(numbers.size(), progress, findings);
    return findings;
  }

 private:
  SyncBy by_;
};

// One file renamed over and over between two folders: it must be there under exactly one name.
class RenameChain : public Protocol {
 public:
  explicit RenameChain(SyncBy by) : by_(by) {}
  void prepare(const Path& folder) override {
    make_folder(folder / "even");
    make_folder(folder / "odd");
    put(name(folder, 0), "token");
    sync(folder);
  }
  void work(const Path& folder, Progress& progress) override {
    in_order(
        progress, 50, [&](std::uint64_t k) { move(name(folder, k - 1), name(folder, k)); },
        [&](std::uint64_t k) { by_ == SyncBy::file ? sync(name(folder, k)) : sync(folder); });
  }
  Findings judge(const Path& folder, const Progress& progress) override {
    std::vector<std::string> names = names_in(folder / "even");
    const std::vector<std::string> odd = names_in(folder / "odd");
    names.insert(names.end(), odd.begin(), odd.end());
    if (names.size() != 1) return {std::to_string(names.size()) + " names of one file"};
    Findings findings;
    const std::uint64_t k = number_in(names[0]);
    judge_reached(k, progress, findings);
    complain_unless(get(name(folder, k)) == "token", findings, "the token has lost its content");
    return findings;
  }

 private:
  static Path name(const Path& folder, std::uint64_t k) {
    return folder / (k % 2 == 0 ? "even" : "odd") / ("t" + std::to_string(k));
  }
  SyncBy by_;
};

// A file rewritten whole in pieces between open and close: never half of one and half of another.
class RewriteInPlace : public Protocol {
 public:
  void prepare(const Path& folder) override {
    rewrite(folder, 0);
    sync(folder);
  }
  void work(const Path& folder, Progress& progress) override {
    in_order(
        progress, 5, [&](std::uint64_t k) { rewrite(folder, k); },
        [&](std::uint64_t) { sync(folder / "file"); });
  }
  Findings judge(const Path& folder, const Progress& progress) override {
    const std::string content = get(folder / "file");
    if (content.size() != kWords * 8) return {"the size is " + std::to_string(content.size())};
    std::uint64_t first = 0, word = 0;
    std::memcpy(&first, content.data(), 8);
    for (std::size_t i = 0; i < content.size(); i += 8) {
      std::memcpy(&word, content.data() + i, 8);
      if (word != first)
        return {"torn at " + std::to_string(i) + ": " + std::to_string(first) + " and " +
                std::to_string(word) + bounds(progress)};
    }
    Findings findings;
    judge_reached(first, progress, findings);
    return findings;
  }

 private:
  static constexpr std::size_t kWords = 40'000;
  static void rewrite(const Path& folder, std::uint64_t k) {
    std::string piece(kWords, '\0');
    for (std::size_t i = 0; i < kWords; i += 8) std::memcpy(piece.data() + i, &k, 8);
    const Fd fd = open_file(folder / "file", O_WRONLY | O_CREAT);
    for (std::uint64_t i = 0; i < 8; i++) write_at(fd.get(), piece, i * kWords);
  }
};

// The way editors save: a new file renamed over the old one.
class ReplaceByRename : public Protocol {
 public:
  void prepare(const Path& folder) override {
    put(folder / "current", numbered(8));
    sync(folder);
  }
  void work(const Path& folder, Progress& progress) override {
    in_order(
        progress, 6,
        [&](std::uint64_t k) {
          put(folder / "new", numbered(k + 8));
          move(folder / "new", folder / "current");
        },
        [&](std::uint64_t) { sync(folder / "current"); });
  }
  Findings judge(const Path& folder, const Progress& progress) override {
    Findings findings;
    const std::uint64_t k = number_of(get(folder / "current"));
    if (k == 0) return {"the current file is torn" + bounds(progress)};
    judge_reached(k - 8, progress, findings);
    return findings;
  }
};

// Lines appended through one open handle: what is there is the beginning of what was written.
class AppendedLog : public Protocol {
 public:
  void prepare(const Path& folder) override {
    put(folder / "log", "");
    sync(folder);
  }
  void work(const Path& folder, Progress& progress) override {
    Fd log;
    in_order(
        progress, 20,
        [&](std::uint64_t k) {
          if (!log || k % 100 == 0) log = open_file(folder / "log", O_WRONLY | O_APPEND);
          append_to(log.get(), line(k));
        },
        [&](std::uint64_t) {
          if (::fsync(log.get()) != 0) throw_errno("fsync");
        });
  }
  Findings judge(const Path& folder, const Progress& progress) override {
    const std::string log = get(folder / "log");
    std::uint64_t lines = 0;
    for (std::size_t at = 0; at < log.size(); lines++) {
      const std::string expected = line(lines + 1);
      if (log.compare(at, expected.size(), expected) != 0)
        return {"line " + std::to_string(lines + 1) + " is wrong" + bounds(progress)};
      at += expected.size();
    }
    Findings findings;
    judge_reached(lines, progress, findings);
    return findings;
  }

 private:
  static std::string line(std::uint64_t k) {
    return "line " + std::to_string(k) + std::string(k % 90, '.') + "\n";
  }
};

// A queue: a file made at one end, one removed at the other; what is there has no gaps.
class Queue : public Protocol {
 public:
  explicit Queue(SyncBy by) : by_(by) {}
  void prepare(const Path&) override {}
  void work(const Path& folder, Progress& progress) override {
    in_order(
        progress, 30,
        [&](std::uint64_t k) {
          put(folder / ("q" + std::to_string(k)), std::to_string(k));
          if (k > kLength) remove_file(folder / ("q" + std::to_string(k - kLength)));
        },
        [&](std::uint64_t k) { sync(by_, folder / ("q" + std::to_string(k))); });
  }
  Findings judge(const Path& folder, const Progress& progress) override {
    std::vector<std::uint64_t> numbers;
    for (const std::string& name : names_in(folder)) numbers.push_back(number_in(name));
    if (numbers.empty()) return progress.synced == 0 ? Findings{} : Findings{"the queue is empty"};
    std::sort(numbers.begin(), numbers.end());
    Findings findings;
    const std::uint64_t span = numbers.back() - numbers.front() + 1;
    complain_unless(span == numbers.size(), findings, "the queue has a gap");
    complain_unless(numbers.size() <= kLength + 1, findings, "removed files are back");
    complain_unless(numbers.back() <= kLength || numbers.size() >= kLength, findings,
                    "the queue lost its head");
    judge_reached(numbers.back(), progress, findings);
    return findings;
  }

 private:
  static constexpr std::uint64_t kLength = 10;
  SyncBy by_;
};

}  // namespace

std::vector<NamedProtocol> all_protocols(SyncBy by) {
  std::vector<NamedProtocol> all;
  all.push_back({"numbered-files", std::make_unique<NumberedFiles>(by)});
  all.push_back({"rename-chain", std::make_unique<RenameChain>(by)});
  if (by == SyncBy::file) all.push_back({"rewrite-in-place", std::make_unique<RewriteInPlace>()});
  all.push_back({"replace-by-rename", std::make_unique<ReplaceByRename>()});
  all.push_back({"appended-log", std::make_unique<AppendedLog>()});
  all.push_back({"queue", std::make_unique<Queue>(by)});
  return all;
}

void GlobalOrder::work(const Path& folder, Progress& progress) const {
  const Fd lock = open_file(lock_, O_RDWR | O_CREAT);
  while (!progress.enough) {
    if (::flock(lock.get(), LOCK_EX) != 0) throw_errno("flock");
    const std::uint64_t k = progress.done + 1;
    progress.begun = k;
    put(folder / ("g" + std::to_string(k)), std::to_string(k));
    if (k % 100 == 0) {
      sync(by_, folder / ("g" + std::to_string(k)));
      progress.synced = k;
    }
    progress.done = k;
    if (::flock(lock.get(), LOCK_UN) != 0) throw_errno("flock");
  }
}

std::vector<std::string> GlobalOrder::judge(const Path& folder, const Progress& progress) {
  std::vector<std::uint64_t> numbers;
  for (const std::string& name : names_in(folder)) numbers.push_back(number_in(name));
  std::sort(numbers.begin(), numbers.end());
  Findings findings;
  for (std::size_t i = 0; i < numbers.size() && findings.empty(); i++)
    complain_unless(numbers[i] == i + 1, findings,
                    "g" + std::to_string(numbers[i]) + " without its predecessor");
  for (std::size_t i = 0; i + 1 < numbers.size() && findings.empty(); i++)
    complain_unless(get(folder / ("g" + std::to_string(i + 1))) == std::to_string(i + 1), findings,
                    "g" + std::to_string(i + 1) + " is torn");
  judge_reached(numbers.size(), progress, findings);
  return findings;
}

}  // namespace tusk::test
