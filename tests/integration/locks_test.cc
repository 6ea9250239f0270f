// flock and fcntl locks between processes.
#include <sys/file.h>
#include <unistd.h>

#include "support/fs_fixture.h"

namespace tusk::test {
namespace {

class LocksTest : public FsTest {
 protected:
  void SetUp() override {
    FsTest::SetUp();
    put(at("file"), std::string(100, 'x'));
  }
  // The errno of trying for a lock in another process.
  int elsewhere(const std::function<int(int fd)>& attempt) {
    return as_user({::getuid(), ::getgid()}, [&] {
      const Fd fd = open_file(at("file"), O_RDWR);
      return errno_of(attempt(fd.get()));
    });
  }
};

int lock_range(int fd, short type, off_t start, off_t size, int command = F_SETLK) {
  struct flock lock {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  lock.l_start = start;
  lock.l_len = size;
  return ::fcntl(fd, command, &lock);
}

TEST_F(LocksTest, an_exclusive_flock_keeps_others_out_until_it_is_given_back) {
  const Fd fd = open_file(at("file"), O_RDWR);
  ASSERT_EQ(::flock(fd.get(), LOCK_EX), 0);
  EXPECT_EQ(elsewhere([](int other) { return ::flock(other, LOCK_SH | LOCK_NB); }), EWOULDBLOCK);
  ASSERT_EQ(::flock(fd.get(), LOCK_UN), 0);
  EXPECT_EQ(elsewhere([](int other) { return ::flock(other, LOCK_EX | LOCK_NB); }), 0);
}

TEST_F(LocksTest, shared_flocks_live_side_by_side) {
  const Fd fd = open_file(at("file"), O_RDWR);
  ASSERT_EQ(::flock(fd.get(), LOCK_SH), 0);
  EXPECT_EQ(elsewhere([](int other) { return ::flock(other, LOCK_SH | LOCK_NB); }), 0);
  EXPECT_EQ(elsewhere([](int other) { return ::flock(other, LOCK_EX | LOCK_NB); }), EWOULDBLOCK);
}

TEST_F(LocksTest, closing_gives_a_flock_back) {
  {
    const Fd fd = open_file(at("file"), O_RDWR);
    ASSERT_EQ(::flock(fd.get(), LOCK_EX), 0);
  }
  EXPECT_EQ(elsewhere([](int other) { return ::flock(other, LOCK_EX | LOCK_NB); }), 0);
}

TEST_F(LocksTest, range_locks_of_two_processes_exclude_each_other_where_they_overlap) {
  const Fd fd = open_file(at("file"), O_RDWR);
  ASSERT_EQ(lock_range(fd.get(), F_WRLCK, 10, 10), 0);
  EXPECT_EQ(elsewhere([](int other) { return lock_range(other, F_WRLCK, 15, 10); }), EAGAIN);
  EXPECT_EQ(elsewhere([](int other) { return lock_range(other, F_RDLCK, 19, 1); }), EAGAIN);
  EXPECT_EQ(elsewhere([](int other) { return lock_range(other, F_WRLCK, 20, 10); }), 0);
}

TEST_F(LocksTest, the_holder_of_a_range_lock_is_told) {
  const Fd fd = open_file(at("file"), O_RDWR);
  ASSERT_EQ(lock_range(fd.get(), F_WRLCK, 0, 0), 0);
  const pid_t holder = ::getpid();
  EXPECT_EQ(elsewhere([holder](int other) {
              struct flock lock {};
              lock.l_type = F_WRLCK;
              ::fcntl(other, F_GETLK, &lock);
              return lock.l_type == F_WRLCK && lock.l_pid == holder ? 0 : -1;
            }),
            0);
}

TEST_F(LocksTest, range_locks_of_a_process_that_ends_are_given_back) {
  EXPECT_EQ(elsewhere([](int other) { return lock_range(other, F_WRLCK, 0, 0); }), 0);
  const Fd fd = open_file(at("file"), O_RDWR);
  EXPECT_EQ(lock_range(fd.get(), F_WRLCK, 0, 0), 0);
}

TEST_F(LocksTest, a_waiting_process_gets_the_lock_when_it_is_free) {
  Fd fd = open_file(at("file"), O_RDWR);
  ASSERT_EQ(::flock(fd.get(), LOCK_EX), 0);
  Child waiter({"flock", at("file"), "echo", "got it"});
  EXPECT_FALSE(eventually([&] { return !waiter.running(); }, std::chrono::milliseconds(200)));
  fd.reset();
  EXPECT_EQ(waiter.wait(std::chrono::seconds(30)).out, "got it\n");
}

TEST_F(LocksTest, open_file_description_locks_work) {
  const Fd a = open_file(at("file"), O_RDWR), b = open_file(at("file"), O_RDWR);
  ASSERT_EQ(lock_range(a.get(), F_WRLCK, 0, 10, F_OFD_SETLK), 0);
  EXPECT_EQ(errno_of(lock_range(b.get(), F_WRLCK, 5, 10, F_OFD_SETLK)), EAGAIN);
}

}  // namespace
}  // namespace tusk::test
