// Random groups to both stores: whatever one answers, the other does.
#include <random>

#include "support/fs_sql.h"
#include "support/store_backends.h"
#include "support/store_session.h"

namespace tusk::test {
namespace {

using namespace store;

constexpr int kFiles = 6;
constexpr std::int64_t kChunks = 8;

class Walk {
 public:
  explicit Walk(std::uint64_t seed) : random_(seed) {
    for (int i = 0; i < kFiles; i++) ids_.push_back(mem_.new_file());
    Group first = next();
    for (int i = 0; i < kFiles; i++) first.files.push_back(change(mem_, i));
    Group same = first;
    for (auto& each : same.files) each.row.folder = postgres_.root();
    mem_.commit(std::move(first));
    postgres_.commit(std::move(same));
  }

  // One group of a few random changes of chunks, files and staging.
  void step() {
    Group group = next();
    if (pick(3) == 0) add_shares(group);
    const int deleted = pick(8);
    if (deleted < kFiles && pick(3) == 0) {
      group.files_deleted.push_back(ids_[static_cast<std::size_t>(deleted)]);
      ids_[static_cast<std::size_t>(deleted)] = mem_.new_file();
      versions_[deleted] = 1;
      group.files.push_back(change(mem_, deleted));
    }
    if (pick(2) == 0) add_drops(group);
    add_puts(group);
    if (pick(6) == 0) {
      const int file = pick(kFiles);
      group.stagings.push_back({id(file), versions_[file] + 1, pick(2) == 0});
    }
    Group same = group;
    for (auto& each : same.files) each.row.folder = postgres_.root();
    mem_.commit(std::move(group));
    postgres_.commit(std::move(same));
    if (pick(10) == 0) attach();
  }

  void compare() {
    for (int file = 0; file < kFiles; file++) {
      for (Version version = 0; version <= 4; version++) {
        ASSERT_EQ(mem_.chunks(id(file), {0, 3 * kChunks}, version),
                  postgres_.chunks(id(file), {0, 3 * kChunks}, version))
            << "file " << file << " version " << version;
      }
    }
  }
  std::vector<std::string> leaks() {
    std::vector<std::string> found;
    for (const auto& line : broken_invariants(postgres_.backend().conninfo())) {
      if (line.starts_with("chunk_retained") || line.starts_with("chunk_source"))
        found.push_back(line);
    }
    return found;
  }

 private:
  int pick(int n) { return static_cast<int>(random_() % static_cast<unsigned>(n)); }
  FileId id(int file) const { return ids_[static_cast<std::size_t>(file)]; }
  Group next() {
    Group group;
    group.durable = pick(2) == 0;
    return group;
  }
  FileChange change(StoreSession<MemBackend>& session, int file) {
    return session.chunked(id(file), "f" + std::to_string(file), 0, versions_[file]);
  }
  Version version_of(int file) { return versions_[file] + pick(2); }

  // No file is both source and target in one group: whether a share sees what another one of its
  // group made is not promised. A target has one coming version.
  void add_shares(Group& group) {
    const Version coming = pick(2);
    const int count = 1 + pick(3), half = kFiles / 2, targets = half * pick(2);
    for (int i = 0; i < count; i++) {
      const int target = targets + pick(half), source = (half - targets) + pick(half);
      group.chunk_shares.push_back({id(target), pick(kChunks), versions_[target] + coming,
                                    id(source), pick(kChunks), version_of(source), 1 + pick(4)});
    }
  }
  void add_drops(Group& group) {
    const std::int64_t first = pick(kChunks);
    const int file = pick(kFiles);
    group.chunk_drops.push_back({id(file), {first, first + 1 + pick(4)}, pick(2), 1 + pick(4)});
  }
  void add_puts(Group& group) {
    const int file = pick(kFiles), count = pick(4);
    const Version version = version_of(file);
    for (std::int64_t i = 0; i < count; i++) {
      group.chunk_puts.push_back(
          {id(file), i * 2, version, bytes_of(std::to_string(random_() % 1000))});
    }
  }
  void attach() {
    mem_.attach();
    postgres_.attach();
  }

  std::mt19937_64 random_;
  StoreSession<MemBackend> mem_;
  StoreSession<PostgresBackend> postgres_;
  std::vector<FileId> ids_;
  std::array<Version, kFiles> versions_{1, 1, 1, 2, 2, 3};
};

class Equivalence : public ::testing::TestWithParam<int> {};

TEST_P(Equivalence, both_stores_have_the_same_chunks_after_random_groups) {
  Walk walk(static_cast<std::uint64_t>(GetParam()));
  for (int i = 0; i < 60; i++) {
    walk.step();
    walk.compare();
    if (HasFatalFailure()) break;
  }
  EXPECT_EQ(walk.leaks(), std::vector<std::string>{});
}

INSTANTIATE_TEST_SUITE_P(Seeds, Equivalence, ::testing::Range(1, 21));

}  // namespace
}  // namespace tusk::test
