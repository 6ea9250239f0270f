// Thousands of random operations on a mount and on a plain folder side by side: every outcome and
// every tree must be the same. $TUSKFS_SEED replays a walk, $TUSKFS_MODEL_STEPS sets the length of
// its phases, $TUSKFS_MODEL_COMPARE_EVERY compares the trees that often to find the step that went
// wrong.
#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <deque>
#include <iostream>
#include <random>

#include "support/fs_fixture.h"
#include "support/fs_model.h"

namespace tusk::test {
namespace {

std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

class RandomWalkTest : public ::testing::TestWithParam<int> {
 protected:
  void SetUp() override {
    ::umask(022);
    ::signal(SIGPIPE, SIG_IGN);  // the walk writes into FIFOs that nobody reads
    if (::geteuid() != 0) GTEST_SKIP() << "needs root: the walk changes owners";
    seed_ = from_environment("TUSKFS_SEED", std::random_device()());
    if (std::getenv("TUSKFS_SEED") == nullptr) seed_ += static_cast<std::uint64_t>(GetParam());
    std::cout << "TUSKFS_SEED=" << seed_ << std::endl;
    if (plain_folder().empty()) mount_ = std::make_unique<Mount>(open_to_all());
  }
  void TearDown() override {
    mount_ ? expect_sound(*mount_) : static_cast<void>(std::filesystem::remove_all(tested()));
  }
  Path tested() const { return mount_ ? mount_->path() / "walk" : Path(plain_folder()) / "walk"; }
  void expect_same(const World& a, const World& b, const std::string& when) {
    for (const std::string& line : differences(a.snapshot(), b.snapshot()))
      ADD_FAILURE() << when << ", TUSKFS_SEED=" << seed_ << ": " << line;
  }

  std::uint64_t seed_ = 0;
  std::unique_ptr<Mount> mount_;
  TempFolder plain_;
};

// Takes the same steps in both worlds; false at the first difference, told with what led to it.
bool walk(StepMaker& maker, World& plain, World& tested, std::uint64_t steps) {
  const std::uint64_t compare_every = from_environment("TUSKFS_MODEL_COMPARE_EVERY", 0);
  std::deque<std::string> last;
  for (std::uint64_t i = 0; i < steps; i++) {
    const Step step = maker.next();
    const std::string expected = plain.take(step), actual = tested.take(step);
    last.push_back(std::to_string(i) + ": " + to_string(step) + " = " + expected);
    if (last.size() > 25) last.pop_front();
    std::vector<std::string> differ;
    if (expected != actual) differ.push_back("gave " + actual);
    if (differ.empty() && compare_every != 0 && i % compare_every == 0)
      differ = differences(plain.snapshot(), tested.snapshot());
    if (differ.empty()) continue;
    std::string story;
    for (const std::string& line : last) story += line + "\n";
    ADD_FAILURE() << story << "on the mount: " << differ[0];
    return false;
  }
  return true;
}

TEST_P(RandomWalkTest, mount_and_plain_folder_stay_the_same) {
  const std::uint64_t steps = from_environment("TUSKFS_MODEL_STEPS", 1500);
  make_folder(plain_.path() / "walk");
  make_folder(tested());
  StepMaker maker(seed_);
  World plain(plain_.path() / "walk"), world(tested());
  for (int phase = 0; phase < 6 && !HasFailure(); phase++) {
    SCOPED_TRACE("phase " + std::to_string(phase) + ", TUSKFS_SEED=" + std::to_string(seed_));
    if (!walk(maker, plain, world, steps)) return;
    expect_same(plain, world, "while mounted");
    if (!mount_ || HasFailure() || phase % 3 == 0) continue;
    plain.close_all();
    world.close_all();
    if (phase % 3 == 1) {
      mount_->remount();
      expect_same(plain, world, "after a remount");
    } else {
      ASSERT_EQ(::fsync(open_file(tested(), O_RDONLY).get()), 0);
      mount_->kill9();
      mount_->mount();
      expect_same(plain, world, "after kill -9");
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomWalkTest, ::testing::Range(0, 3));

}  // namespace
}  // namespace tusk::test
