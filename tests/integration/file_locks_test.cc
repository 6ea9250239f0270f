// flock(2) and fcntl(2): between programs of one mount, and between mounts of one tree.
#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <thread>

#include "support/fs_fixture.h"
#include "support/fs_server.h"
#include "support/fs_sql.h"

namespace tusk::test {
namespace {

using namespace std::chrono_literals;

struct flock range(short type, off_t start = 0, off_t length = 0) {
  struct flock lock {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  lock.l_start = start;
  lock.l_len = length;
  return lock;
}

// Of the open file: what threads of one process have of each other, too.
int lock_range(const Fd& fd, short type, bool waits = false, off_t start = 0, off_t length = 0) {
  struct flock lock = range(type, start, length);
  return errno_of(::fcntl(fd.get(), waits ? F_OFD_SETLKW : F_OFD_SETLK, &lock));
}

// In a process of its own, as fcntl(2) locks belong to processes; its errno, or 0.
int in_child(const std::function<int()>& body) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(body());
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int lock_in_child(const Path& path, short type, off_t start, off_t length) {
  return in_child([&] {
    const Fd fd = open_file(path, O_RDWR);
    struct flock lock = range(type, start, length);
    return errno_of(::fcntl(fd.get(), F_SETLK, &lock));
  });
}

class FileLocksTest : public FsTest {};

TEST_F(FileLocksTest, flock_is_of_the_open_file) {
  put(at("file"), "x");
  const Fd one = open_file(at("file"), O_RDWR), two = open_file(at("file"), O_RDONLY);
  EXPECT_EQ(errno_of(::flock(one.get(), LOCK_SH)), 0);
  EXPECT_EQ(errno_of(::flock(two.get(), LOCK_SH | LOCK_NB)), 0);
  EXPECT_EQ(errno_of(::flock(two.get(), LOCK_EX | LOCK_NB)), EAGAIN);
  EXPECT_EQ(errno_of(::flock(one.get(), LOCK_UN)), 0);
  EXPECT_EQ(errno_of(::flock(two.get(), LOCK_EX | LOCK_NB)), 0);
  EXPECT_EQ(errno_of(::flock(one.get(), LOCK_SH | LOCK_NB)), EAGAIN);
  { const Fd copy(::dup(two.get())); }
  EXPECT_EQ(errno_of(::flock(one.get(), LOCK_SH | LOCK_NB)), EAGAIN) << "a copy of it was closed";
}

TEST_F(FileLocksTest, who_waits_is_let_in_by_a_close) {
  put(at("file"), "x");
  auto holder = std::make_unique<Fd>(open_file(at("file"), O_RDWR));
  EXPECT_EQ(errno_of(::flock(holder->get(), LOCK_EX)), 0);
  std::atomic<bool> is_in = false;
  std::jthread waiter([&] {
    const Fd fd = open_file(at("file"), O_RDWR);
    if (::flock(fd.get(), LOCK_EX) == 0) is_in = true;
  });
  std::this_thread::sleep_for(100ms);
  EXPECT_FALSE(is_in);
  holder.reset();
  EXPECT_TRUE(eventually([&] { return is_in.load(); }));
}

TEST_F(FileLocksTest, ranges_of_processes) {
  put(at("file"), "x");
  const Fd fd = open_file(at("file"), O_RDWR);
  struct flock lock = range(F_WRLCK, 10, 10);
  ASSERT_EQ(errno_of(::fcntl(fd.get(), F_SETLK, &lock)), 0);
  EXPECT_EQ(lock_in_child(at("file"), F_WRLCK, 0, 10), 0);
  EXPECT_EQ(lock_in_child(at("file"), F_RDLCK, 19, 1), EAGAIN);
  EXPECT_EQ(lock_in_child(at("file"), F_WRLCK, 20, 0), 0);
  EXPECT_EQ(in_child([&] {
              struct flock found = range(F_WRLCK);
              const Fd other = open_file(at("file"), O_RDWR);
              if (::fcntl(other.get(), F_GETLK, &found) != 0) return errno;
              const bool is_right = found.l_type == F_WRLCK && found.l_pid == ::getppid() &&
                                    found.l_start == 10 && found.l_len == 10;
              return is_right ? 0 : 99;
            }),
            0);
  // Any close of the file by the process ends its locks.
  { const Fd other = open_file(at("file"), O_RDONLY); }
  EXPECT_EQ(lock_in_child(at("file"), F_WRLCK, 0, 0), 0);
}

TEST_F(FileLocksTest, the_end_of_a_process_is_the_end_of_its_locks) {
  put(at("file"), "x");
  int pipe_ends[2];
  ASSERT_EQ(::pipe(pipe_ends), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const Fd fd = open_file(at("file"), O_RDWR);
    struct flock lock = range(F_WRLCK);
    const char said = ::fcntl(fd.get(), F_SETLK, &lock) == 0 ? 'y' : 'n';
    [[maybe_unused]] const auto written = ::write(pipe_ends[1], &said, 1);
    ::pause();
    ::_exit(0);
  }
  char said = 0;
  ASSERT_EQ(::read(pipe_ends[0], &said, 1), 1);
  EXPECT_EQ(said, 'y');
  EXPECT_EQ(lock_in_child(at("file"), F_RDLCK, 0, 1), EAGAIN);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  EXPECT_TRUE(eventually([&] { return lock_in_child(at("file"), F_RDLCK, 0, 1) == 0; }));
  ::close(pipe_ends[0]);
  ::close(pipe_ends[1]);
}

TEST_F(FileLocksTest, a_signal_ends_the_waiting) {
  put(at("file"), "x");
  const Fd holder = open_file(at("file"), O_RDWR);
  ASSERT_EQ(errno_of(::flock(holder.get(), LOCK_EX)), 0);
  EXPECT_EQ(in_child([&] {
              struct sigaction action {};
              action.sa_handler = [](int) {};
              ::sigaction(SIGALRM, &action, nullptr);
              ::alarm(1);
              const Fd fd = open_file(at("file"), O_RDWR);
              return errno_of(::flock(fd.get(), LOCK_EX));
            }),
            EINTR);
  EXPECT_EQ(errno_of(::flock(holder.get(), LOCK_UN)), 0);
  const Fd next = open_file(at("file"), O_RDWR);
  EXPECT_EQ(errno_of(::flock(next.get(), LOCK_EX | LOCK_NB)), 0) << "who gave up has nothing";
}

TEST_F(FileLocksTest, two_that_would_wait_for_each_other_are_told) {
  put(at("file"), "x");
  const Fd fd = open_file(at("file"), O_RDWR);
  struct flock mine = range(F_WRLCK, 0, 1);
  ASSERT_EQ(errno_of(::fcntl(fd.get(), F_SETLK, &mine)), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const Fd other = open_file(at("file"), O_RDWR);
    struct flock second = range(F_WRLCK, 1, 1), first = range(F_WRLCK, 0, 1);
    if (::fcntl(other.get(), F_SETLK, &second) != 0) ::_exit(98);
    ::_exit(errno_of(::fcntl(other.get(), F_SETLKW, &first)));
  }
  ASSERT_TRUE(eventually([&] {
    struct flock found = range(F_WRLCK, 1, 1);
    return ::fcntl(fd.get(), F_GETLK, &found) == 0 && found.l_type == F_WRLCK;
  }));
  std::this_thread::sleep_for(200ms);
  struct flock second = range(F_WRLCK, 1, 1);
  EXPECT_EQ(errno_of(::fcntl(fd.get(), F_SETLKW, &second)), EDEADLK);
  mine.l_type = F_UNLCK;
  EXPECT_EQ(errno_of(::fcntl(fd.get(), F_SETLK, &mine)), 0);
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST_F(FileLocksTest, sqlite_style_transactions_of_many_processes_count_every_step) {
  put(at("count"), "0");
  constexpr int kProcesses = 4, kSteps = 50;
  std::vector<pid_t> children;
  for (int i = 0; i < kProcesses; i++) {
    children.push_back(::fork());
    if (children.back() != 0) continue;
    for (int n = 0; n < kSteps; n++) {
      const Fd fd = open_file(at("count"), O_RDWR);
      struct flock lock = range(F_WRLCK);
      if (::fcntl(fd.get(), F_SETLKW, &lock) != 0) ::_exit(errno);
      const std::string next = std::to_string(std::stoi(read_at(fd.get(), 0, 20)) + 1);
      if (::pwrite(fd.get(), next.data(), next.size(), 0) < 0) ::_exit(errno);
    }
    ::_exit(0);
  }
  for (const pid_t child : children) {
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
  }
  EXPECT_EQ(get(at("count")), std::to_string(kProcesses * kSteps));
}

class SharedLocksTest : public OwnMountTest {
 protected:
  void bring_up(int count) {
    for (int i = 0; i < count; i++)
      mounts_.push_back(std::make_unique<Mount>(MountSetup{.database = server_.conninfo()}));
  }
  void TearDown() override {
    for (const auto& mount : mounts_) expect_sound(*mount, declared_);
  }
  Path at(std::size_t mount, const std::string& name) const {
    return mounts_[mount]->path() / name;
  }

  Server server_;
  std::vector<std::unique_ptr<Mount>> mounts_;
  std::vector<std::string> declared_;
};

TEST_F(SharedLocksTest, a_lock_holds_in_the_other_mounts_until_it_is_let_go_of) {
  bring_up(3);
  put(at(0, "file"), "x");
  const Fd one = open_file(at(0, "file"), O_RDWR), two = open_file(at(1, "file"), O_RDWR),
           three = open_file(at(2, "file"), O_RDONLY);
  EXPECT_EQ(errno_of(::flock(one.get(), LOCK_SH)), 0);
  EXPECT_EQ(errno_of(::flock(three.get(), LOCK_SH | LOCK_NB)), 0);
  EXPECT_EQ(errno_of(::flock(two.get(), LOCK_EX | LOCK_NB)), EAGAIN);
  EXPECT_EQ(lock_range(two, F_WRLCK, false, 0, 10), 0);
  EXPECT_EQ(lock_range(one, F_WRLCK, false, 5, 1), EAGAIN);
  EXPECT_EQ(lock_range(one, F_WRLCK, false, 10, 0), 0);
  EXPECT_EQ(lock_range(three, F_RDLCK, false, 20, 1), EAGAIN);
  struct flock found = range(F_WRLCK, 0, 0);
  EXPECT_EQ(errno_of(::fcntl(three.get(), F_OFD_GETLK, &found)), 0);
  EXPECT_EQ(found.l_type, F_WRLCK);
  EXPECT_EQ(found.l_start, 0);
  EXPECT_EQ(found.l_len, 10);
  EXPECT_EQ(errno_of(::flock(one.get(), LOCK_UN)), 0);
  EXPECT_EQ(errno_of(::flock(three.get(), LOCK_UN)), 0);
  EXPECT_EQ(errno_of(::flock(two.get(), LOCK_EX | LOCK_NB)), 0);
  EXPECT_EQ(Sql(server_.conninfo()).number("select count(*) from tusk.file_locks"), 3);
}

TEST_F(SharedLocksTest, what_was_locked_alone_holds_when_another_mount_comes) {
  bring_up(1);
  put(at(0, "file"), "x");
  const Fd one = open_file(at(0, "file"), O_RDWR);
  EXPECT_EQ(errno_of(::flock(one.get(), LOCK_EX)), 0);
  bring_up(1);
  const Fd two = open_file(at(1, "file"), O_RDWR);
  EXPECT_EQ(errno_of(::flock(two.get(), LOCK_EX | LOCK_NB)), EAGAIN);
  EXPECT_EQ(errno_of(::flock(one.get(), LOCK_UN)), 0);
  EXPECT_EQ(errno_of(::flock(two.get(), LOCK_EX | LOCK_NB)), 0);
}

TEST_F(SharedLocksTest, who_waits_is_called) {
  bring_up(2);
  put(at(0, "file"), "x");
  const Fd one = open_file(at(0, "file"), O_RDWR), two = open_file(at(1, "file"), O_RDWR);
  Sql sql(server_.conninfo());
  const std::string waits = "select count(*) from tusk.lock_waits";
  std::vector<double> ms;
  for (int i = 0; i < 20; i++) {
    ASSERT_EQ(lock_range(one, F_WRLCK, true), 0);
    std::chrono::steady_clock::time_point let_go, got;
    std::jthread waiter([&] {
      ASSERT_EQ(lock_range(two, F_WRLCK, true), 0);
      got = std::chrono::steady_clock::now();
      ASSERT_EQ(lock_range(two, F_UNLCK), 0);
    });
    ASSERT_TRUE(eventually([&] { return sql.number(waits) == 1; }));
    let_go = std::chrono::steady_clock::now();
    ASSERT_EQ(lock_range(one, F_UNLCK), 0);
    waiter.join();
    ms.push_back(std::chrono::duration<double, std::milli>(got - let_go).count());
  }
  std::ranges::sort(ms);
  std::printf("called after %.1f ms (p50), %.1f ms at most\n", ms[10], ms.back());
  EXPECT_EQ(sql.number(waits), 0);
}

// What the one before wrote is there when the lock is had, with the file open all the time.
TEST_F(SharedLocksTest, a_register_under_a_lock_counts_every_step) {
  bring_up(3);
  put(at(0, "count"), "0000");
  constexpr int kSteps = 30;
  std::vector<std::jthread> threads;
  for (std::size_t i = 0; i < 3; i++) {
    threads.emplace_back([&, i] {
      const Fd fd = open_file(at(i, "count"), O_RDWR);
      for (int n = 0; n < kSteps; n++) {
        ASSERT_EQ(lock_range(fd, F_WRLCK, true), 0);
        const std::string next = fmt::format("{:04}", std::stoi(read_at(fd.get(), 0, 4)) + 1);
        ASSERT_EQ(::pwrite(fd.get(), next.data(), next.size(), 0), 4);
        ASSERT_EQ(lock_range(fd, F_UNLCK), 0);
      }
    });
  }
  threads.clear();
  EXPECT_EQ(get(at(0, "count")), fmt::format("{:04}", 3 * kSteps));
}

TEST_F(SharedLocksTest, a_dead_mounts_locks_go_with_it) {
  bring_up(2);
  put(at(0, "file"), "x");
  const Fd two = open_file(at(1, "file"), O_RDWR);
  Fd one = open_file(at(0, "file"), O_RDWR);
  ASSERT_EQ(errno_of(::flock(one.get(), LOCK_EX)), 0);
  EXPECT_EQ(errno_of(::flock(two.get(), LOCK_EX | LOCK_NB)), EAGAIN);
  mounts_[0]->kill9();
  EXPECT_EQ(errno_of(::flock(two.get(), LOCK_EX)), 0);
  one = Fd();
  mounts_[0]->mount();
}

// Its sessions are ended while it is frozen; another takes the lock; thawed, it finds out.
TEST_F(SharedLocksTest, a_frozen_mount_that_others_gave_up_loses_its_lock_with_a_line_in_the_log) {
  bring_up(2);
  put(at(0, "file"), "x");
  const Fd one = open_file(at(0, "file"), O_RDWR), two = open_file(at(1, "file"), O_RDWR);
  ASSERT_EQ(errno_of(::flock(one.get(), LOCK_EX)), 0);
  Sql sql(server_.conninfo());
  const std::string pids = sql.value(
      "select array[backend_pid, watch_pid] from tusk.mount_sessions order by epoch limit 1");
  declared_ = {"lost its lock", "connect", "database", "terminat", "another mount"};
  ::kill(mounts_[0]->driver(), SIGSTOP);
  sql.rows("select pg_terminate_backend(p) from unnest($1::int[]) as p", {pids});
  EXPECT_EQ(errno_of(::flock(two.get(), LOCK_EX)), 0);
  ::kill(mounts_[0]->driver(), SIGCONT);
  EXPECT_TRUE(eventually(
      [&] { return mounts_[0]->log().find("has lost its lock") != std::string::npos; }, 30s));
  const Fd again = open_file(at(0, "file"), O_RDWR);
  EXPECT_EQ(errno_of(::flock(again.get(), LOCK_EX | LOCK_NB)), EAGAIN);
  EXPECT_EQ(errno_of(::flock(two.get(), LOCK_UN)), 0);
  EXPECT_EQ(errno_of(::flock(again.get(), LOCK_EX | LOCK_NB)), 0);
}

}  // namespace
}  // namespace tusk::test
