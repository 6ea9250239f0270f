// Groups straight into the store: what PostgreSQL and the way to it allow, without FUSE and the
// core. storeload CONNINFO [files-per-group]
#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <chrono>
#include <cstdlib>
#include <map>
#include <optional>
#include <string>

#include "tuskfs/base/reactor.h"
#include "tuskfs/store/migrate.h"
#include "tuskfs/store/postgres.h"

namespace {

using namespace tusk;
using namespace tusk::store;
using Clock = std::chrono::steady_clock;

class Load {
 public:
  Load(Reactor& reactor, PostgresStore& store)
      : reactor_(reactor),
        store_(store),
        number_(static_cast<std::int64_t>(store.attached().last_group)),
        usage_(store.attached().usage) {}

  void files(const std::string& what, int count, int per_group, std::size_t size) {
    const auto started = Clock::now();
    for (int done = 0; done < count; done += per_group) {
      Group group;
      for (int i = 0; i < per_group; i++) group.files.push_back(file(size));
      usage_.files += per_group;
      usage_.bytes += static_cast<std::int64_t>(size) * per_group;
      commit(std::move(group));
    }
    report(what, count, "files", started);
  }

  // As created and fsynced one by one: a file, and its folder's times.
  void durable_files(int count) {
    const auto started = Clock::now();
    for (int done = 0; done < count; done++) {
      Group group;
      group.durable = true;
      group.folders.push_back(store_.attached().root);
      group.files.push_back(file(4096));
      usage_.files++;
      usage_.bytes += 4096;
      commit(std::move(group));
    }
    report("4 KiB files, durable, one by one", count, "files", started);
  }

  void chunks(int mebibytes, int per_group) {
    constexpr int kPerMebibyte = (1 << 20) / kChunkBytes;
    FileChange big = file(0);
    big.row.form = Form::chunked;
    big.row.size = static_cast<std::uint64_t>(mebibytes) << 20;
    big.data.reset();
    big_ = big.row.id;
    const auto started = Clock::now();
    for (int done = 0; done < mebibytes; done += per_group) {
      Group group;
      group.durable = done + per_group >= mebibytes;
      if (done == 0) group.files.push_back(big);
      for (int i = 0; i < per_group * kPerMebibyte; i++) {
        group.chunk_puts.push_back(
            {big_, std::int64_t{done} * kPerMebibyte + i, 1, content(kChunkBytes)});
      }
      commit(std::move(group));
    }
    report(fmt::format("chunks, {} MiB a group", per_group), mebibytes, "MiB", started);
  }

  void read_chunks(int mebibytes) {
    const auto started = Clock::now();
    int waiting = 0;
    std::size_t bytes = 0;
    for (std::int64_t first = 0; first < mebibytes * 16; first += 32) {
      waiting++;
      store_.load_chunks({big_, {first, first + 32}, 1}, [&](Result<std::vector<Chunk>> loaded) {
        waiting--;
        if (!loaded) fmt::print("load: {}\n", loaded.error().what);
        for (const Chunk& chunk : *loaded) bytes += chunk.data->size();
      });
      while (waiting > 3) reactor_.wait_and_run(std::chrono::seconds(1));
    }
    while (waiting > 0) reactor_.wait_and_run(std::chrono::seconds(1));
    report("read chunks", static_cast<int>(bytes >> 20), "MiB", started);
  }

  void read_folder() {
    const auto started = Clock::now();
    std::string after;
    int entries = 0;
    do {
      bool done = false;
      store_.load_folder({store_.attached().root.id, after, 10'000}, [&](Result<FolderPage> page) {
        entries += static_cast<int>(page->files.size());
        for (const FileRow& row : page->files) ids_.push_back(row.id);
        after = page->next_after;
        done = true;
      });
      while (!done) reactor_.wait_and_run(std::chrono::seconds(1));
    } while (!after.empty());
    report("list", entries, "entries", started);
  }

  void read_files() {
    const auto started = Clock::now();
    for (std::size_t at = 0; at < ids_.size(); at += 200) {
      bool done = false;
      const auto end = std::min(at + 200, ids_.size());
      store_.load_inline({ids_.begin() + static_cast<std::ptrdiff_t>(at),
                          ids_.begin() + static_cast<std::ptrdiff_t>(end)},
                         [&](Result<std::vector<InlineContent>>) { done = true; });
      while (!done) reactor_.wait_and_run(std::chrono::seconds(1));
    }
    report("read contents", static_cast<int>(ids_.size()), "files", started);
  }

  void delete_files(int per_group) {
    const auto started = Clock::now();
    for (std::size_t at = 0; at < ids_.size(); at += static_cast<std::size_t>(per_group)) {
      Group group;
      const auto end = std::min(at + static_cast<std::size_t>(per_group), ids_.size());
      for (std::size_t i = at; i < end; i++) group.files_deleted.push_back(ids_[i]);
      commit(std::move(group));
    }
    report("delete", static_cast<int>(ids_.size()), "files", started);
  }

 private:
  // The same bytes for all of a size: making them is not what is measured.
  SharedBytes content(std::size_t size) {
    SharedBytes& shared = contents_[size];
    if (shared) return shared;
    auto bytes = std::make_shared<Buffer>(size);
    for (std::size_t i = 0; i < size; i++) (*bytes)[i] = static_cast<std::uint8_t>(i * 31 >> 3);
    shared = bytes;
    return shared;
  }

  FileChange file(std::size_t size) {
    FileChange change;
    const auto ms = static_cast<std::uint64_t>(reactor_.wall_now().ns / 1'000'000);
    change.row.id = {Uuid::v7(ms, reactor_.random(), reactor_.random())};
    change.row.folder = store_.attached().root.id;
    change.row.name = fmt::format("f{:08}-{}", ++names_, number_);
    change.row.meta.mode = S_IFREG | 0644;
    change.row.size = size;
    change.row.version = 1;
    change.has_content = true;
    change.data = content(size);
    return change;
  }

  void commit(Group group) {
    group.number = GroupNo{++number_};
    group.usage = usage_;
    std::optional<CommitResult> result;
    store_.commit(std::make_shared<const Group>(std::move(group)),
                  [&](CommitResult r) { result = std::move(r); });
    while (!result) reactor_.wait_and_run(std::chrono::seconds(1));
    if (result->state == CommitState::committed) return;
    fmt::print(stderr, "storeload: {}\n", result->error.what);
    std::exit(1);
  }

  static void report(const std::string& what, int count, const char* unit,
                     Clock::time_point started) {
    const double seconds = std::chrono::duration<double>(Clock::now() - started).count();
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    fmt::print("{:32} {:8} {:8} in {:6.2f} s: {:10.0f} {}/s, peak {} MiB\n", what, count, unit,
               seconds, count / seconds, unit, usage.ru_maxrss / 1024);
  }

  Reactor& reactor_;
  PostgresStore& store_;
  std::int64_t number_;
  Usage usage_;
  int names_ = 0;
  FileId big_;
  std::vector<FileId> ids_;
  std::map<std::size_t, SharedBytes> contents_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    fmt::print(stderr, "usage: storeload CONNINFO [FILES-PER-GROUP [chunks|durable]]\n");
    return 2;
  }
  const int per_group = argc > 2 ? std::atoi(argv[2]) : 400;
  auto reactor = Reactor::create();
  if (const auto done = migrate_up(argv[1]); !done) {
    fmt::print(stderr, "storeload: {}\n", done.error().what);
    return 1;
  }
  PostgresOptions options;
  options.conninfo = argv[1];
  auto store = PostgresStore::attach(options, **reactor);
  if (!store) {
    fmt::print(stderr, "storeload: {}\n", store.error().what);
    return 1;
  }
  Load load(**reactor, **store);
  const std::string only = argc > 3 ? argv[3] : "";
  if (only == "chunks") {
    load.chunks(512, 8);
    return 0;
  }
  load.durable_files(4'000);
  if (only == "durable") return 0;
  load.files(fmt::format("4 KiB files, {} a group", per_group), 20'000, per_group, 4096);
  load.files("1 KiB files", 20'000, per_group, 1024);
  load.files("4 KiB files, one a group", 2'000, 1, 4096);
  load.read_folder();
  load.read_files();
  load.chunks(512, 8);
  load.read_chunks(512);
  load.delete_files(per_group);
  return 0;
}
