// Random changes of a tree while moments of it are remembered: after every few steps each of them,
// read through .tusk, must still be what the tree was then. $TUSKFS_SEED replays a walk,
// $TUSKFS_MODEL_STEPS sets its length.
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <random>

#include "support/fs_snapshot.h"
#include "support/past_fixture.h"

namespace tusk::test {
namespace {

// What history keeps of everything: names and contents.
constexpr SnapshotOptions kContents{.attributes = false, .mtimes = false, .xattrs = false};

struct Moment {
  std::string name;
  Path path;
  Snapshot tree;
};

class HistoryWalk : public PastFixture, public ::testing::WithParamInterface<int> {
 protected:
  void SetUp() override {
    PastFixture::SetUp();
    if (IsSkipped()) return;
    const char* seed = std::getenv("TUSKFS_SEED");
    seed_ = seed ? std::strtoull(seed, nullptr, 10) : std::random_device()() + GetParam();
    random_.seed(seed_);
    std::cout << "TUSKFS_SEED=" << seed_ << std::endl;
    tuskfs({"policy", "set", mount_->path(), "external_above=150K", "versions=10000",
            "version_interval=0"});
    make_folder(at("walk"));
  }

  std::uint64_t below(std::uint64_t bound) { return random_() % bound; }
  Path some_path() {
    Path path = at("walk");
    for (std::uint64_t depth = 1 + below(3); depth > 0; depth--)
      path /= std::string(1, static_cast<char>('a' + below(5)));
    return path;
  }
  // Inline, in chunks, and above the limit for objects.
  std::string some_content() {
    constexpr std::size_t kSizes[] = {0, 10, 5'000, 70'000, 140'000, 400'000};
    return pattern(kSizes[below(std::size(kSizes))] + below(100), random_());
  }
  static void tuskfs(std::vector<std::string> args) {
    args.insert(args.begin(), TUSKFS_BINARY);
    run_ok(args);
  }

  // What cannot be done is no step; whether it can be is other tests' business.
  std::string step() {
    const Path path = some_path(), other = some_path();
    std::error_code failed;
    const auto is_file = [&](const Path& p) { return std::filesystem::is_regular_file(p, failed); };
    const bool is_folder = std::filesystem::is_directory(path, failed);
    switch (below(15)) {
      case 0:
      case 1:
      case 2:
      case 3:
        if (!is_folder && std::filesystem::is_directory(path.parent_path(), failed))
          put(path, some_content());
        return "write " + path.string();
      case 4:
      case 5:
        if (is_file(path))
          write_at(open_file(path, O_WRONLY).get(), pattern(300, random_()), below(200'000));
        return "edit " + path.string();
      case 6:
      case 7:
        ::mkdir(path.c_str(), 0755);
        return "mkdir " + path.string();
      case 8:
        ::rename(path.c_str(), other.c_str());
        return "rename " + path.string() + " " + other.string();
      case 9:
        if (is_file(path)) ::link(path.c_str(), other.c_str());
        return "link " + path.string() + " " + other.string();
      case 10:
        std::filesystem::remove_all(path, failed);
        return "remove " + path.string();
      case 11:
        return take_from_trash(path);
      case 12:
        if (present(path) && !present(other) &&
            std::filesystem::is_directory(other.parent_path(), failed) &&
            !other.string().starts_with(path.string() + "/"))
          tuskfs({"clone", path, other});
        return "clone " + path.string() + " " + other.string();
      case 13:
        if (is_file(path)) tuskfs({"storage", "move", path, below(2) == 0 ? "db" : "external"});
        return "move tier " + path.string();
      default:
        if (moments_.size() < 6) return remember();
        return forget_one();
    }
  }

  std::string take_from_trash(const Path& to) {
    settle();
    const auto trash = names_in(past("trash"));
    if (trash.empty() || present(to)) return "nothing";
    const Path from = past("trash") / trash[below(trash.size())];
    ::rename(from.c_str(), to.c_str());
    return "restore " + from.string() + " to " + to.string();
  }

  std::string remember() {
    settle();
    Moment moment{.name = "s" + std::to_string(++count_), .path = {}, .tree = live()};
    if (below(2) == 0) {
      make_folder(past("snapshots/" + moment.name));
      moment.path = past("snapshots/" + moment.name);
    } else {
      moment.path = now();
    }
    largest_ = std::max(largest_, moment.tree.size());
    moments_.push_back(moment);
    return "remember " + moment.path.string();
  }
  std::string forget_one() {
    const auto at = moments_.begin() + static_cast<std::ptrdiff_t>(below(moments_.size()));
    const std::string path = at->path;
    if (path.find("snapshots") != std::string::npos) ::rmdir(path.c_str());
    moments_.erase(at);
    return "forget " + path;
  }

  Snapshot live() const { return snapshot_of(at("walk"), kContents); }
  bool all_are_as_they_were() {
    for (const Moment& moment : moments_) {
      for (const std::string& line :
           differences(moment.tree, snapshot_of(moment.path / "walk", kContents))) {
        ADD_FAILURE() << moment.path << ", TUSKFS_SEED=" << seed_ << ": " << line;
        return false;
      }
    }
    return true;
  }

  std::uint64_t seed_ = 0;
  std::mt19937_64 random_;
  std::vector<Moment> moments_;
  int count_ = 0;
  std::size_t largest_ = 0;
};

TEST_P(HistoryWalk, every_moment_stays_what_it_was) {
  const char* text = std::getenv("TUSKFS_MODEL_STEPS");
  const int steps = text ? std::atoi(text) : 400;
  std::string story;
  for (int i = 0; i < steps; i++) {
    story += std::to_string(i) + ": " + step() + "\n";
    if (i % 8 != 0) continue;
    if (!all_are_as_they_were()) {
      std::cout << story;
      return;
    }
    if (i % 160 == 0) {
      const Snapshot before = live();
      mount_->remount();
      EXPECT_EQ(differences(before, live()), std::vector<std::string>{}) << "TUSKFS_SEED=" << seed_;
    }
  }
  EXPECT_TRUE(all_are_as_they_were());
  // A walk that went nowhere proves nothing.
  EXPECT_GT(count_, 3);
  EXPECT_GT(largest_, 3u);
}

INSTANTIATE_TEST_SUITE_P(Seeds, HistoryWalk, ::testing::Range(0, 2));

}  // namespace
}  // namespace tusk::test
