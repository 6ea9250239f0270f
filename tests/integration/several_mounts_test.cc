// Several mounts of one tree: each sees what the others have closed, names are made once, nothing
// is lost when one of them dies or is frozen.
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <thread>

#include "support/fs_fixture.h"
#include "support/fs_server.h"
#include "support/fs_sql.h"

namespace tusk::test {
namespace {

using namespace std::chrono_literals;

class SeveralMountsTest : public OwnMountTest {
 protected:
  void bring_up(int count, const std::vector<std::string>& args = {}) {
    server_ = std::make_unique<Server>();
    for (int i = 0; i < count; i++)
      mounts_.push_back(
          std::make_unique<Mount>(MountSetup{.args = args, .database = server_->conninfo()}));
  }
  void TearDown() override {
    for (const auto& mount : mounts_) expect_sound(*mount, declared_);
  }
  Path at(std::size_t mount, const std::string& name = {}) const {
    return mounts_[mount]->path() / name;
  }
  std::size_t count() const { return mounts_.size(); }
  nlohmann::json status(std::size_t mount) const {
    return nlohmann::json::parse(
        run_ok({TUSKFS_BINARY, "status", at(mount).string(), "--json"}))[0];
  }
  std::string presence(std::size_t mount) const { return status(mount)["presence"]; }
  void declare(const std::string& text) { declared_.push_back(text); }
  // A thread for each mount, all at once; they throw what goes wrong.
  template <class Fn>
  void on_each(Fn body) {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < count(); i++)
      threads.emplace_back([&, i] { EXPECT_NO_THROW(body(i)) << "mount " << i; });
  }

  std::unique_ptr<Server> server_;
  std::vector<std::unique_ptr<Mount>> mounts_;

 private:
  std::vector<std::string> declared_;
};

TEST_F(SeveralMountsTest, what_one_has_closed_the_others_read) {
  bring_up(3);
  for (std::size_t i = 0; i < 60; i++) {
    const std::string text = "state " + std::to_string(i);
    put(at(i % 3, "same"), text);
    for (std::size_t other = 1; other < 3; other++)
      EXPECT_EQ(get(at((i + other) % 3, "same")), text);
  }
}

// Who is alone is not told of closes.
TEST_F(SeveralMountsTest, what_was_opened_before_others_came_is_read_once_it_is_closed) {
  bring_up(1);
  constexpr int kFiles = 60;
  std::vector<Fd> open;
  for (int i = 0; i < kFiles; i++) {
    open.push_back(open_file(at(0, std::to_string(i)), O_WRONLY | O_CREAT));
    append_to(open.back().get(), "alone");
  }
  mounts_.push_back(std::make_unique<Mount>(MountSetup{.database = server_->conninfo()}));
  ASSERT_EQ(get(at(1, "0")), "alone");
  for (int i = 0; i < kFiles; i++) {
    const std::string name = std::to_string(i);
    if (i % 3 == 0) append_to(open[static_cast<std::size_t>(i)].get(), " no more");
    if (i % 3 == 1) {
      ASSERT_EQ(::ftruncate(open[static_cast<std::size_t>(i)].get(), 2), 0);
    }
    open[static_cast<std::size_t>(i)] = Fd();
    EXPECT_EQ(get(at(1, name)), i % 3 == 0 ? "alone no more" : i % 3 == 1 ? "al" : "alone");
  }
}

TEST_F(SeveralMountsTest, a_file_that_takes_the_place_of_another_is_the_one_that_is_opened) {
  bring_up(2);
  for (std::size_t i = 0; i < 60; i++) {
    const std::string text = "file " + std::to_string(i);
    put(at(i % 2, "new"), text);
    ASSERT_EQ(::rename(at(i % 2, "new").c_str(), at(i % 2, "name").c_str()), 0);
    EXPECT_EQ(get(at(1 - i % 2, "name")), text);
  }
}

TEST_F(SeveralMountsTest,
       a_name_is_opened_as_the_file_that_took_it_though_the_old_one_has_another) {
  bring_up(2);
  put(at(0, "name"), "file -1");
  for (std::size_t i = 0; i < 60; i++) {
    const std::string text = "file " + std::to_string(i);
    put(at(i % 2, "new"), text);
    ASSERT_EQ(::rename(at(i % 2, "name").c_str(), at(i % 2, "old").c_str()), 0);
    ASSERT_EQ(::rename(at(i % 2, "new").c_str(), at(i % 2, "name").c_str()), 0);
    EXPECT_EQ(get(at(1 - i % 2, "name")), text);
  }
}

TEST_F(SeveralMountsTest, a_name_that_was_missing_is_found_once_it_is_made) {
  bring_up(2);
  for (std::size_t i = 0; i < 30; i++) {
    const std::string name = "name" + std::to_string(i);
    EXPECT_FALSE(present(at(1 - i % 2, name)));
    put(at(i % 2, name), name);
    EXPECT_EQ(get(at(1 - i % 2, name)), name);
    EXPECT_EQ(names_in(at(1 - i % 2)).size(), i + 1);
  }
}

TEST_F(SeveralMountsTest, a_name_is_made_by_one_alone) {
  bring_up(3);
  constexpr int kNames = 60;
  std::atomic<int> files = 0, folders = 0, links = 0;
  put(at(0, "target"), "x");
  on_each([&](std::size_t i) {
    for (int n = 0; n < kNames; n++) {
      const std::string name = std::to_string(n);
      if (errno_of_open(at(i, "file" + name), O_CREAT | O_EXCL | O_WRONLY) == 0) files++;
      if (errno_of(::mkdir(at(i, "folder" + name).c_str(), 0755)) == 0) folders++;
      if (errno_of(::link(at(i, "target").c_str(), at(i, "link" + name).c_str())) == 0) links++;
    }
  });
  EXPECT_EQ(files, kNames);
  EXPECT_EQ(folders, kNames);
  EXPECT_EQ(links, kNames);
  EXPECT_EQ(stat_of(open_file(at(0, "target"), O_RDONLY).get()).st_nlink, kNames + 1);
}

TEST_F(SeveralMountsTest, opening_with_O_CREAT_finds_what_another_made_at_the_same_moment) {
  bring_up(3);
  on_each([&](std::size_t i) {
    for (int n = 0; n < 60; n++) open_file(at(i, "file" + std::to_string(n)), O_CREAT | O_WRONLY);
  });
  EXPECT_EQ(names_in(at(0)).size(), 60u);
}

TEST_F(SeveralMountsTest, appended_lines_stay_whole_and_none_is_lost) {
  bring_up(3);
  constexpr int kLines = 100;
  on_each([&](std::size_t i) {
    const Fd log = open_file(at(i, "log"), O_CREAT | O_WRONLY | O_APPEND);
    for (int n = 0; n < kLines; n++)
      append_to(log.get(), std::to_string(i) + ":" + std::to_string(n) + "\n");
  });
  std::istringstream text(get(at(0, "log")));
  std::set<std::string> lines;
  std::string line;
  std::size_t read = 0;
  for (; std::getline(text, line); read++) lines.insert(line);
  EXPECT_EQ(read, 3u * kLines);
  EXPECT_EQ(lines.size(), 3u * kLines);
  EXPECT_EQ(get(at(1, "log")), get(at(0, "log")));
}

// A lock, as programs make one, and a register that whoever has it reads and writes: every outcome
// equals a serial one.
TEST_F(SeveralMountsTest, a_counter_under_a_lock_of_mkdir_counts_every_step) {
  bring_up(3);
  constexpr int kSteps = 40;
  put(at(0, "counter"), "0");
  on_each([&](std::size_t i) {
    for (int n = 0; n < kSteps; n++) {
      while (errno_of(::mkdir(at(i, "lock").c_str(), 0755)) != 0) std::this_thread::sleep_for(1ms);
      put(at(i, "counter"), std::to_string(std::stoi(get(at(i, "counter"))) + 1));
      ASSERT_EQ(errno_of(::rmdir(at(i, "lock").c_str())), 0);
    }
  });
  for (std::size_t i = 0; i < 3; i++) EXPECT_EQ(get(at(i, "counter")), std::to_string(3 * kSteps));
}

TEST_F(SeveralMountsTest, a_rename_succeeds_for_one_alone) {
  bring_up(3);
  std::atomic<int> moved = 0;
  for (int n = 0; n < 40; n++) put(at(0, "old" + std::to_string(n)), std::to_string(n));
  on_each([&](std::size_t i) {
    for (int n = 0; n < 40; n++) {
      const std::string name = std::to_string(n);
      const std::string to = "new" + name + "." + std::to_string(i);
      if (errno_of(::rename(at(i, "old" + name).c_str(), at(i, to).c_str())) == 0) moved++;
    }
  });
  EXPECT_EQ(moved, 40);
  EXPECT_EQ(names_in(at(0)).size(), 40u);
}

TEST_F(SeveralMountsTest, a_removed_file_stays_readable_where_it_is_open) {
  bring_up(2);
  for (const std::string trash : {"", "0"}) {
    if (!trash.empty()) run_ok({TUSKFS_BINARY, "policy", "set", at(0).string(), "trash=" + trash});
    const std::string bytes = pattern(300'000);
    put(at(0, "file"), bytes);
    const Fd open = open_file(at(1, "file"), O_RDONLY);
    ASSERT_EQ(::unlink(at(0, "file").c_str()), 0);
    ASSERT_TRUE(eventually([&] { return !present(at(1, "file")); }));
    EXPECT_TRUE(eventually([&] { return stat_of(open.get()).st_nlink == 0; }));
    EXPECT_EQ(read_at(open.get(), 0, bytes.size()), bytes);
  }
}

TEST_F(SeveralMountsTest, one_that_nobody_uses_lets_the_other_be_alone_and_wakes_up) {
  bring_up(2, {"--delegation-idle=1"});
  put(at(0, "file"), "one");
  EXPECT_EQ(get(at(1, "file")), "one");
  EXPECT_EQ(status(0)["others"].size(), 1u);
  // Asking is a use.
  std::this_thread::sleep_for(3s);
  const Fd busy = open_file(at(0, "busy"), O_CREAT | O_WRONLY);
  EXPECT_TRUE(eventually([&] {
    append_to(busy.get(), "x");
    return presence(0) == "alone";
  }));
  put(at(0, "file"), "two");
  EXPECT_EQ(get(at(1, "file")), "two");
}

TEST_F(SeveralMountsTest, who_is_left_is_alone_again) {
  bring_up(2);
  put(at(1, "file"), "x");
  EXPECT_EQ(presence(0), "shared");
  const std::string other = at(1).parent_path();
  EXPECT_TRUE(eventually([&] {
    const auto lent_to = status(0)["lent_to"];
    return lent_to.is_object() && lent_to["who"].get<std::string>().ends_with(":" + other);
  })) << status(0);
  const std::string text = run_ok({TUSKFS_BINARY, "status", mounts_[0]->path()});
  EXPECT_NE(text.find("lent last to    mount "), std::string::npos) << text;
  EXPECT_NE(text.find(":" + other), std::string::npos) << text;
  EXPECT_TRUE(mounts_[1]->unmount().ok());
  EXPECT_TRUE(eventually([&] { return presence(0) == "alone" && status(0)["others"].empty(); }));
  EXPECT_EQ(get(at(0, "file")), "x");
  mounts_[1]->mount();
}

TEST_F(SeveralMountsTest, a_killed_one_takes_nothing_along_that_it_had_closed) {
  bring_up(3);
  for (int n = 0; n < 40; n++) {
    put(at(1, "file" + std::to_string(n)), std::to_string(n));
    if (n == 20) put(at(2, "other"), "x");
  }
  mounts_[1]->kill9();
  for (int n = 0; n < 40; n++) EXPECT_EQ(get(at(0, "file" + std::to_string(n))), std::to_string(n));
  put(at(0, "after"), "x");
  EXPECT_EQ(get(at(2, "after")), "x");
  mounts_[1]->mount();
  EXPECT_EQ(get(at(1, "after")), "x");
}

TEST_F(SeveralMountsTest, a_frozen_one_does_not_hold_the_others_up_for_ever) {
  bring_up(2);
  declare("does not answer");
  declare("connect");
  declare("terminat");
  declare("database");
  declare("changes wait");
  put(at(0, "file"), "before");
  put(at(0, "held"), "x");  // it has the delegation
  ASSERT_EQ(::kill(mounts_[0]->driver(), SIGSTOP), 0);
  // Longer than it takes an idle mount to fall asleep.
  put(at(1, "file"), "meanwhile");
  put(at(1, "new"), "new");
  ASSERT_EQ(::kill(mounts_[0]->driver(), SIGCONT), 0);
  // Not what it remembers, though it has not heard yet that it lost what it had.
  EXPECT_EQ(get(at(0, "file")), "meanwhile");
  EXPECT_EQ(get(at(0, "new")), "new");
  put(at(0, "file"), "again");
  EXPECT_EQ(get(at(1, "file")), "again");
}

}  // namespace
}  // namespace tusk::test
