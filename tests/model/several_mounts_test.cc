// Three mounts of one tree, two workers on each, all on the same few names and files, while mounts
// are frozen, cut off from the database and killed: what each worker was answered must be what some
// serial order of all operations answers (support/names_check.h, support/register_check.h).
// $TUSKFS_SEED repeats the workers' choices, $TUSKFS_STRESS_SECONDS sets how long they work,
// $TUSKFS_STRESS_ONLY names the one misfortune that befalls mounts: kill, cut, freeze or none.
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <mutex>
#include <shared_mutex>
#include <thread>

#include "support/fs_fixture.h"
#include "support/fs_server.h"
#include "support/fs_snapshot.h"
#include "support/fs_sql.h"
#include "support/stress_worker.h"

namespace tusk::test {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kMounts = 3, kWorkersEach = 2;

const std::vector<Cell> kCells = {{"cell0", Cell::Way::in_place},
                                  {"cell1", Cell::Way::in_place},
                                  {"swap0", Cell::Way::swapped},
                                  {"swap1", Cell::Way::swapped},
                                  {"kept0", Cell::Way::swapped_kept}};
const NameSpace kNames = {{{"f/a"}, {"f/b"}, {"f/c"}, {"d"}, {"d/x", 3}, {"d/y", 3}, {"d/z", 3}}};

// A name that a mount, or its kernel, knows is looked for in memory, which hears of what others
// changed a moment later: what is refused because of it may be that much behind (README, "Several
// mounts"). The kernel hears nothing of a folder while somebody who changes it waits, here for one
// that is frozen.
constexpr Moment kAMoment = 12'000'000'000;

// One of the mounts, whose workers go away from it while it is taken down.
struct Place {
  explicit Place(const std::string& conninfo) : mount({.database = conninfo}) {}
  void open() { root = open_file(mount.path() / "stress", O_RDONLY | O_DIRECTORY); }

  Mount mount;
  Fd root;
  std::shared_timed_mutex gate;
  std::atomic<bool> is_closed = false;  // who comes now waits outside
};

class SeveralMountsStress : public OwnMountTest {
 protected:
  void SetUp() override {
    OwnMountTest::SetUp();
    if (IsSkipped()) return;
    seed_ = stress_seed();
    random_.seed(seed_);
    for (std::size_t i = 0; i < kMounts; i++)
      places_.push_back(std::make_unique<Place>(server_.conninfo()));
    make_tree(places_[0]->mount.path() / "stress");
    for (const auto& place : places_) place->open();
    for (std::size_t i = 0; i < kMounts * kWorkersEach; i++)
      workers_.emplace_back(histories_, "w" + std::to_string(i % kMounts) + std::to_string(i),
                            seed_ + i, static_cast<int>(i % kMounts));
  }
  void TearDown() override {
    for (const auto& place : places_) {
      place->root = Fd();
      expect_sound(place->mount,
                   {"database", "connect", "terminat", "does not answer", "wait", "meanwhile"});
    }
  }

  static void make_tree(const Path& stress) {
    make_folder(stress);
    make_folder(stress / "f");
    put(stress / "target", "x");
    for (const Cell& cell : kCells) put(stress / cell.name, body_of(cell, Histories::kFirstValue));
  }

  void work(std::size_t worker) {
    Place& place = *places_[worker % kMounts];
    StressWorker& self = workers_[worker];
    while (!enough_) {
      if (!one_step(place, self)) std::this_thread::sleep_for(200ms);
    }
  }
  bool one_step(Place& place, StressWorker& self) {
    if (place.is_closed) return false;
    const std::shared_lock here(place.gate);
    const int root = place.root.get();
    const std::uint64_t choice = self.below(10);
    if (choice < 6) return self.change_names(root);
    return choice < 7 ? self.write(root, self.some_cell()) : self.read(root, self.some_cell());
  }

  // All work while `misfortune` takes its course; then everything that was under way is decided.
  template <class Fn>
  void round(Fn misfortune, bool expect_cuts) {
    histories_.expect_cuts(expect_cuts);
    enough_ = false;
    {
      const auto watch = let_go_after(90s);
      std::vector<std::jthread> threads;
      for (std::size_t i = 0; i < workers_.size(); i++)
        threads.emplace_back([this, i] { work(i); });
      misfortune();
      enough_ = true;
    }
    for (const auto& place : places_) settle(*place);
    histories_.settled(moment_now());
    histories_.expect_cuts(false);
    const auto& any = places_[random_() % kMounts];
    for (std::size_t name = 0; name < kNames.names.size(); name++)
      settler_.look(any->root.get(), static_cast<int>(name));
  }

  // A mount that does not answer any more must not hold the test for ever: its kernel side is
  // ended, as killing its driver would not wake who waits for an answer.
  std::jthread let_go_after(std::chrono::seconds limit) {
    return std::jthread([this, limit](const std::stop_token& stop) {
      std::mutex mutex;
      std::condition_variable_any ended;
      std::unique_lock lock(mutex);
      ended.wait_for(lock, stop, limit, [] { return false; });
      if (stop.stop_requested()) return;
      ADD_FAILURE() << "somebody was not answered for " << limit.count() << " s";
      std::cout << locks() << std::endl;
      for (const auto& place : places_) {
        std::cout << place->mount.path() << "\n" << place->mount.log() << std::endl;
        ::umount2(place->mount.path().c_str(), MNT_FORCE);
      }
    });
  }
  std::string locks() const {
    std::string text;
    for (const SqlRow& row :
         Sql(server_.conninfo())
             .rows("select l.pid, l.locktype, l.objid, l.mode, l.granted, a.state, a.wait_event, "
                   "now() - a.state_change, left(a.query, 80) from pg_locks l join "
                   "pg_stat_activity a using (pid) where l.locktype = 'advisory' or not granted "
                   "order by 3, 1")) {
      for (const std::string& field : row) text += field + " | ";
      text += "\n";
    }
    return text;
  }

  // What a mount answers comes after all that it had begun before. Of what it could not commit, as
  // others had changed it meanwhile, it says EIO until it is mounted anew.
  void settle(Place& place) {
    if (eventually([&] { return answers(place); }, 5s)) return;
    mounted_anew_++;
    place.root = Fd();
    place.mount.remount();
    place.open();
    EXPECT_TRUE(eventually([&] { return answers(place); }, 90s)) << "a mount does not come back";
  }
  bool answers(Place& place) {
    const Path probe = place.mount.path() / "stress" / ("probe" + std::to_string(++probes_));
    return errno_of_open(probe, O_CREAT | O_WRONLY) == 0 &&
           errno_of(::unlink(probe.c_str())) == 0 &&
           std::ranges::all_of(
               kCells, [&](const Cell& cell) { return settler_.read(place.root.get(), cell); });
  }

  std::chrono::milliseconds between(int from_ms, int to_ms) {
    return std::chrono::milliseconds(
        from_ms + static_cast<int>(random_() % static_cast<std::uint64_t>(to_ms - from_ms)));
  }
  void freeze(Place& place) {
    std::this_thread::sleep_for(between(50, 300));
    ::kill(place.mount.driver(), SIGSTOP);
    std::this_thread::sleep_for(between(1000, 9000));
    ::kill(place.mount.driver(), SIGCONT);
    std::this_thread::sleep_for(between(300, 800));
  }
  void cut_off(Place& place) {
    for (int i = 0; i < 3; i++) {
      std::this_thread::sleep_for(between(50, 400));
      Sql(server_.conninfo())
          .rows(
              "select pg_terminate_backend(b.pid) from tusk.mount_sessions m cross join lateral "
              "(values (m.backend_pid), (m.watch_pid)) b (pid) where m.pid = $1 and "
              "b.pid is not null",
              {std::to_string(place.mount.driver())});
    }
    std::this_thread::sleep_for(between(300, 800));
  }
  void kill_it(Place& place) {
    std::this_thread::sleep_for(between(50, 600));
    ::kill(place.mount.driver(), SIGKILL);
    place.is_closed = true;
    std::unique_lock nobody_here(place.gate, std::defer_lock);
    // A driver cannot die while it tells the kernel of a name in a folder that a caller, who waits
    // for its answer, has locked: then both wait until the kernel side is ended.
    if (!nobody_here.try_lock_for(3s)) {
      left_waiting_++;
      ::umount2(place.mount.path().c_str(), MNT_FORCE);
      nobody_here.lock();
    }
    place.root = Fd();
    place.mount.kill9();
    place.mount.mount();
    place.open();
    nobody_here.unlock();
    place.is_closed = false;
    std::this_thread::sleep_for(between(300, 800));
  }

  std::vector<std::function<void(Place&)>> chosen_misfortunes() {
    const char* only = std::getenv("TUSKFS_STRESS_ONLY");
    const auto is_chosen = [&](std::string_view name) { return !only || name == only; };
    std::vector<std::function<void(Place&)>> chosen;
    if (is_chosen("kill")) chosen.push_back([this](Place& place) { kill_it(place); });
    if (is_chosen("cut")) chosen.push_back([this](Place& place) { cut_off(place); });
    if (is_chosen("freeze")) chosen.push_back([this](Place& place) { freeze(place); });
    if (chosen.empty()) chosen.push_back([](Place&) {});
    return chosen;
  }

  void tell() const {
    const Histories::Counts counts = histories_.counts();
    std::cout << counts.writes << " writes, " << counts.reads << " reads, " << counts.changes
              << " changes of names, " << counts.refusals << " refusals and looks, " << counts.cut
              << " cut short, " << mounted_anew_ << " times mounted anew, " << left_waiting_
              << " times left waiting by a killed driver" << std::endl;
  }
  void expect_agreement() {
    const auto seen_by = [&](std::size_t i) {
      return snapshot_of(places_[i]->mount.path() / "stress",
                         {.attributes = true, .mtimes = true, .xattrs = false});
    };
    for (std::size_t i = 1; i < kMounts; i++) {
      EXPECT_TRUE(eventually([&] { return differences(seen_by(0), seen_by(i)).empty(); }, 2s))
          << ::testing::PrintToString(differences(seen_by(0), seen_by(i)));
    }
  }

  std::uint64_t seed_ = 0;
  std::mt19937_64 random_;
  Server server_;
  std::vector<std::unique_ptr<Place>> places_;
  Histories histories_{kCells, kNames};
  std::vector<StressWorker> workers_;
  StressWorker settler_{histories_, "settler", 0};
  std::atomic<bool> enough_ = false;
  int probes_ = 0, mounted_anew_ = 0, left_waiting_ = 0;
};

TEST_F(SeveralMountsStress, every_outcome_is_that_of_some_serial_order) {
  const auto end = std::chrono::steady_clock::now() + stress_time(22s);
  std::vector<std::function<void(Place&)>> misfortunes = chosen_misfortunes();
  for (std::size_t n = 0; std::chrono::steady_clock::now() < end && !HasFailure(); n++) {
    round([&] { std::this_thread::sleep_for(between(500, 1500)); }, false);
    Place& place = *places_[random_() % kMounts];
    if (n % misfortunes.size() == 0) std::ranges::shuffle(misfortunes, random_);
    round([&] { misfortunes[n % misfortunes.size()](place); }, true);
  }
  tell();
  for (const std::string& fault : histories_.faults(Order::close_to_open, kAMoment))
    ADD_FAILURE() << fault << "\nTUSKFS_SEED=" << seed_;
  expect_agreement();
  // Workers that got nowhere prove nothing.
  EXPECT_GT(histories_.counts().changes, 100u);
}

}  // namespace
}  // namespace tusk::test
