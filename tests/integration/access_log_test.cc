// stats/fs/accesslog: what a mount is asked, as it is answered; and stats/refresh.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <sstream>
#include <thread>

#include "support/fs_fixture.h"
#include "support/process.h"

namespace tusk::test {
namespace {

using namespace std::chrono_literals;

class AccessLogTest : public MountTest {
 protected:
  Path stats(const std::string& name) { return mount().path() / ".tusk/stats" / name; }
  Fd listen(int flags = O_NONBLOCK) {
    return Fd(::open(stats("fs/accesslog").c_str(), O_RDONLY | O_CLOEXEC | flags));
  }
  // What comes until a line has this in it.
  static std::string lines_until(const Fd& fd, const std::string& wanted) {
    std::string all;
    char buffer[65536];
    eventually([&] {
      pollfd waiting{fd.get(), POLLIN, 0};
      ::poll(&waiting, 1, 1000);
      const ssize_t n = ::read(fd.get(), buffer, sizeof buffer);
      if (n > 0) all.append(buffer, static_cast<std::size_t>(n));
      return all.find(wanted) != std::string::npos && all.ends_with('\n');
    });
    return all;
  }
  static std::string line_with(const std::string& lines, const std::string& wanted) {
    std::istringstream in(lines);
    for (std::string line; std::getline(in, line);)
      if (line.find(wanted) != std::string::npos) return line;
    return {};
  }
};

TEST_F(AccessLogTest, has_a_line_for_each_request_with_who_what_and_how_it_ended) {
  const Fd fd = listen();
  ASSERT_TRUE(fd);
  make_folder(at("folder"));
  ::rmdir(at("missing").c_str());
  const std::string lines = lines_until(fd, "op=lookup ino=");
  put(at("folder/file"), "x");
  const std::string more = lines + lines_until(fd, "op=create");
  const std::string made = line_with(more, "op=mkdir");
  EXPECT_NE(made.find(" name=\"folder\" result=ok us="), std::string::npos) << more;
  EXPECT_NE(made.find(" uid=" + std::to_string(::getuid()) + " gid="), std::string::npos) << made;
  EXPECT_NE(made.find(" pid=" + std::to_string(::gettid()) + " "), std::string::npos) << made;
  EXPECT_NE(line_with(more, "name=\"file\"").find("ino="), std::string::npos) << more;
  EXPECT_EQ(made.find("20"), 0u) << made;
}

TEST_F(AccessLogTest, errors_and_hostile_names_are_one_line_each) {
  const Fd fd = listen();
  const std::string name = "two\nlines \"quoted\" \\ \x1b[31m";
  ASSERT_EQ(::mkdir(at(name).c_str(), 0755), 0);
  EXPECT_EQ(errno_of(::mkdir(at(name).c_str(), 0755)), EEXIST);
  put(at("plain"), "x");
  EXPECT_EQ(errno_of(::setxattr(at("plain").c_str(), "user.none", "", 0, XATTR_REPLACE)), ENODATA);
  const std::string lines = lines_until(fd, "result=ENODATA");
  EXPECT_NE(
      line_with(lines, "op=mkdir").find(R"(name="two\x0alines \"quoted\" \\ \x1b[31m" result=ok)"),
      std::string::npos)
      << lines;
  EXPECT_NE(line_with(lines, "op=setxattr").find("name=\"user.none\" result=ENODATA"),
            std::string::npos)
      << lines;
}

TEST_F(AccessLogTest, says_nothing_of_those_who_read_it_and_keeps_nothing_for_those_who_come) {
  make_folder(at("before"));
  const Fd fd = listen();
  char buffer[100];
  EXPECT_EQ(errno_of(::read(fd.get(), buffer, sizeof buffer)), EAGAIN);
  for (int i = 0; i < 10; i++) {
    EXPECT_EQ(errno_of(::read(fd.get(), buffer, sizeof buffer)), EAGAIN);
  }
  pollfd waiting{fd.get(), POLLIN, 0};
  EXPECT_EQ(::poll(&waiting, 1, 100), 0);
  std::jthread later([&] {
    std::this_thread::sleep_for(200ms);
    make_folder(at("after"));
  });
  EXPECT_EQ(::poll(&waiting, 1, 20'000), 1);
  later.join();
  EXPECT_NE(lines_until(fd, "name=\"after\" result=ok").find("op=mkdir"), std::string::npos);
}

TEST_F(AccessLogTest, a_read_waits_for_a_line_and_can_be_interrupted) {
  const pid_t child = ::fork();
  if (child == 0) {
    struct sigaction act = {};
    act.sa_handler = [](int) {};
    ::sigaction(SIGUSR1, &act, nullptr);  // no SA_RESTART
    const int fd = ::open(stats("fs/accesslog").c_str(), O_RDONLY);
    char buffer[100];
    ::_exit(::read(fd, buffer, sizeof buffer) < 0 && errno == EINTR ? 7 : 1);
  }
  int status = 0;
  ASSERT_TRUE(eventually([&] {
    ::usleep(50'000);
    ::kill(child, SIGUSR1);
    return ::waitpid(child, &status, WNOHANG) == child;
  }));
  EXPECT_TRUE((WIFEXITED(status) && WEXITSTATUS(status) == 7) || WIFSIGNALED(status)) << status;

  const Fd fd = listen(0);
  std::jthread later([&] {
    std::this_thread::sleep_for(200ms);
    make_folder(at("woken"));
  });
  char buffer[4096];
  EXPECT_GT(::read(fd.get(), buffer, sizeof buffer), 0);
  later.join();
  const auto head = run({"timeout", "-s", "INT", "0.5", "cat", stats("fs/accesslog")});
  EXPECT_EQ(head.status, 124);
}

TEST_F(AccessLogTest, who_is_slow_is_told_how_many_lines_are_lost) {
  const Fd fd = listen();
  const std::string name(200, 'n');
  for (int i = 0; i < 6'000; i++) {
    struct stat st;
    ::stat(at(name + std::to_string(i)).c_str(), &st);
  }
  std::string all;
  char buffer[65536];
  for (ssize_t n = 0; (n = ::read(fd.get(), buffer, sizeof buffer)) > 0;)
    all.append(buffer, static_cast<std::size_t>(n));
  EXPECT_LE(all.size(), std::size_t{1} << 20);
  make_folder(at("end"));
  EXPECT_NE(lines_until(fd, "name=\"end\"").find(" lines lost\n"), std::string::npos);
}

TEST_F(AccessLogTest, is_for_its_owner_to_read_and_for_nobody_to_write) {
  EXPECT_EQ(permissions_of(stats("fs/accesslog")), 0400u);
  EXPECT_EQ(errno_of_open(stats("fs/accesslog"), O_WRONLY), EACCES);
  EXPECT_EQ(as_user({65534, 65534}, [&] { return listen() ? 0 : errno; }), EACCES);
}

TEST_F(AccessLogTest, refresh_has_everything_collected_anew) {
  EXPECT_EQ(get(stats("refresh")).find("last_ms_ago "), 0u);
  const std::string before = get(stats("sizes.json"));
  std::this_thread::sleep_for(20ms);
  EXPECT_EQ(get(stats("sizes.json")), before);
  put(stats("refresh"), "1\n");
  EXPECT_TRUE(eventually([&] { return get(stats("sizes.json")) != before; }));
  const Fd fd(::open(stats("refresh").c_str(), O_WRONLY | O_CLOEXEC));
  EXPECT_EQ(errno_of(::write(fd.get(), "2\n", 2)), EINVAL);
  EXPECT_EQ(permissions_of(stats("refresh")), 0644u);
}

}  // namespace
}  // namespace tusk::test
