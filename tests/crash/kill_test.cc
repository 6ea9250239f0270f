// kill -9 of the driver, of the postmaster and of both at random moments under load. Afterwards the
// mount comes up by itself, everything synced is there, and what is there is one moment of each
// worker's order and of their common one. $TUSKFS_CRASH_ROUNDS sets how often.
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <random>
#include <thread>

#include "support/fs_fixture.h"
#include "support/fs_protocols.h"

namespace tusk::test {
namespace {

int rounds(int otherwise) {
  const char* text = std::getenv("TUSKFS_CRASH_ROUNDS");
  return text == nullptr ? otherwise : std::atoi(text);
}

// The workers of one round, each in a folder of its own below the round's.
class Load {
 public:
  Load(const Path& folder, const Path& scratch, SyncBy by)
      : folder_(folder), order_(scratch, by), protocols_(all_protocols(by)) {
    make_folder(folder);
    make_folder(folder / "global");
    for (std::size_t i = 0; i < protocols_.size(); i++) {
      make_folder(folder / protocols_[i].name);
      protocols_[i].protocol->prepare(folder / protocols_[i].name);
      progress_.push_back(std::make_unique<SharedProgress>());
    }
    if (::fsync(open_file(folder, O_RDONLY).get()) != 0) throw_errno("fsync");
  }
  void start() {
    for (std::size_t i = 0; i < protocols_.size(); i++) {
      workers_.emplace_back([this, i] {
        protocols_[i].protocol->work(folder_ / protocols_[i].name, **progress_[i]);
      });
    }
    for (int i = 0; i < 2; i++)
      workers_.emplace_back([this] { order_.work(folder_ / "global", *global_); });
  }
  void kill() { workers_.clear(); }
  // A process that is killed closes its files half-written: who judges whole files lets it finish.
  void finish() {
    for (const auto& progress : progress_) (*progress)->enough = true;
    global_->enough = true;
    for (Worker& worker : workers_) EXPECT_TRUE(worker.wait()) << "a worker met an error";
    workers_.clear();
  }
  std::uint64_t operations() const {
    std::uint64_t total = global_->done;
    for (const auto& progress : progress_) total += (*progress)->done;
    return total;
  }
  void expect_consistent(const std::string& when) {
    for (const std::string& line : findings()) ADD_FAILURE() << when << ", " << line;
  }
  std::vector<std::string> findings() {
    std::vector<std::string> all;
    for (std::size_t i = 0; i < protocols_.size(); i++) {
      const NamedProtocol& named = protocols_[i];
      for (const std::string& line : named.protocol->judge(folder_ / named.name, **progress_[i]))
        all.push_back(named.name + ": " + line);
    }
    for (const std::string& line : GlobalOrder::judge(folder_ / "global", *global_))
      all.push_back("global order: " + line);
    return all;
  }

 private:
  Path folder_;
  GlobalOrder order_;
  std::vector<NamedProtocol> protocols_;
  std::vector<std::unique_ptr<SharedProgress>> progress_;
  SharedProgress global_;
  std::vector<Worker> workers_;
};

class KillTest : public OwnMountTest {
 protected:
  void SetUp() override {
    OwnMountTest::SetUp();
    if (IsSkipped()) return;
    mount_ = std::make_unique<Mount>();
    seed_ = std::random_device()();
    random_.seed(seed_);
    std::cout << "seed " << seed_ << std::endl;
  }
  void TearDown() override {
    if (mount_) expect_sound(*mount_, {"connect", "database", "server", "committed", "terminat"});
  }
  void work_for_a_while(Load& load) {
    load.start();
    std::this_thread::sleep_for(std::chrono::milliseconds(100 + random_() % 1500));
  }
  void kill_postmaster() {
    const Path file = mount_->data_dir() / "cluster" / "postmaster.pid";
    if (!present(file)) return;
    ::kill(static_cast<pid_t>(std::stol(get(file))), SIGKILL);
  }
  void judge(Load& load, int round) {
    EXPECT_GT(load.operations(), 0u) << "the workers did nothing";
    const std::string when = "round " + std::to_string(round);
    load.expect_consistent(when);
    mount_->unmount();
    mount_->mount();
    load.expect_consistent(when + " after another mount");
    run_ok({"rm", "-rf", folder(round)});
  }
  Path folder(int round) const { return mount_->path() / ("round" + std::to_string(round)); }

  std::unique_ptr<Mount> mount_;
  std::uint64_t seed_ = 0;
  std::mt19937_64 random_;
  TempFolder scratch_;
};

TEST_F(KillTest, a_killed_driver_leaves_one_moment) {
  for (int round = 0; round < rounds(10) && !HasFailure(); round++) {
    Load load(folder(round), scratch_.path(), round % 2 == 0 ? SyncBy::file : SyncBy::folder);
    work_for_a_while(load);
    mount_->kill9();
    load.kill();
    mount_->mount();
    judge(load, round);
  }
}

TEST_F(KillTest, a_killed_postmaster_loses_and_tears_nothing) {
  for (int round = 0; round < rounds(6) && !HasFailure(); round++) {
    Load load(folder(round), scratch_.path(), round % 2 == 0 ? SyncBy::file : SyncBy::folder);
    work_for_a_while(load);
    kill_postmaster();
    std::this_thread::sleep_for(std::chrono::milliseconds(500 + random_() % 1000));
    load.finish();
    EXPECT_EQ(::fsync(open_file(mount_->path(), O_RDONLY).get()), 0);
    judge(load, round);
  }
}

// What it was starting goes on without it, and meets the next driver's start.
TEST_F(KillTest, a_driver_killed_while_it_restarts_its_server_harms_nothing) {
  for (int round = 0; round < rounds(12) && !HasFailure(); round++) {
    put(mount_->path() / "kept", std::to_string(round));
    EXPECT_EQ(::fsync(open_file(mount_->path() / "kept", O_RDONLY).get()), 0);
    kill_postmaster();
    put(mount_->path() / "noticed", "at the next commit");
    std::this_thread::sleep_for(std::chrono::milliseconds(random_() % 300));
    mount_->kill9();
    mount_->mount();
    EXPECT_EQ(get(mount_->path() / "kept"), std::to_string(round));
  }
}

TEST_F(KillTest, driver_and_postmaster_killed_together_leave_one_moment) {
  for (int round = 0; round < rounds(6) && !HasFailure(); round++) {
    Load load(folder(round), scratch_.path(), round % 2 == 0 ? SyncBy::file : SyncBy::folder);
    work_for_a_while(load);
    if (round % 4 < 2) {
      kill_postmaster();
      std::this_thread::sleep_for(std::chrono::milliseconds(random_() % 300));
    }
    mount_->kill9();
    kill_postmaster();
    load.kill();
    mount_->mount();
    judge(load, round);
  }
}

TEST_F(KillTest, a_driver_killed_while_it_starts_harms_nothing) {
  Load load(folder(0), scratch_.path(), SyncBy::file);
  work_for_a_while(load);
  mount_->kill9();
  load.kill();
  for (int round = 0; round < rounds(6); round++) {
    Child early({TUSKFS_BINARY, "mount", "-f", "--data-dir", mount_->data_dir(), mount_->path()});
    std::this_thread::sleep_for(std::chrono::milliseconds(random_() % 400));
    early.signal(SIGKILL);
    early.wait(std::chrono::seconds(10));
    if (is_mounted(mount_->path())) run_ok({"umount", "-l", mount_->path()});
  }
  mount_->mount();
  load.expect_consistent("after interrupted starts");
}

// The judges themselves are judged on a plain folder, where nothing crashed.
class ProtocolTest : public ::testing::Test {
 protected:
  void SetUp() override {
    load_.start();
    std::this_thread::sleep_for(std::chrono::milliseconds(700));
    load_.finish();
  }
  Path at(const std::string& name) const { return folder_.path() / "load" / name; }
  TempFolder folder_, scratch_;
  Load load_{folder_.path() / "load", scratch_.path(), SyncBy::file};
};

TEST_F(ProtocolTest, workers_that_were_merely_stopped_leave_one_moment) {
  EXPECT_GT(load_.operations(), 100u);
  load_.expect_consistent("on a plain folder");
}

TEST_F(ProtocolTest, whatever_is_lost_or_torn_is_found) {
  std::filesystem::remove(at("numbered-files/f2"));
  std::filesystem::resize_file(at("numbered-files/f3"), 3);
  std::filesystem::remove_all(at("rename-chain/even"));
  make_folder(at("rename-chain/even"));
  std::filesystem::remove_all(at("rename-chain/odd"));
  make_folder(at("rename-chain/odd"));
  write_at(open_file(at("rewrite-in-place/file"), O_WRONLY).get(), zeros(8), 80'000);
  std::filesystem::resize_file(at("replace-by-rename/current"), 5);
  std::filesystem::resize_file(at("appended-log/log"), 5);
  // Neither the first nor the last: between them is a gap.
  std::vector<int> queue;
  for (const std::string& name : names_in(at("queue"))) queue.push_back(std::stoi(name.substr(1)));
  std::ranges::sort(queue);
  ASSERT_GT(queue.size(), 2u);
  std::filesystem::remove(at("queue/q" + std::to_string(queue[queue.size() / 2])));
  std::filesystem::remove(at("global/g3"));
  std::string found;
  for (const std::string& line : load_.findings()) found += line + "\n";
  for (const char* text :
       {"f3 without its predecessor", "f3 is torn", "names of one file", "torn at 80000",
        "current file is torn", "line 1 is wrong", "queue has a gap", "g4 without its predecessor"})
    EXPECT_NE(found.find(text), std::string::npos) << text << " is not in\n" << found;
}

}  // namespace
}  // namespace tusk::test
