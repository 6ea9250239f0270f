#include "support/process.h"

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <cerrno>
#include <exception>
#include <stdexcept>
#include <system_error>
#include <thread>

extern char** environ;

namespace tusk::test {
namespace {

Fd memory_file(const std::string& content) {
  Fd fd(::memfd_create("tusk-test", MFD_CLOEXEC));
  if (!fd) throw std::system_error(errno, std::generic_category(), "memfd_create");
  if (!content.empty() &&
      ::pwrite(fd.get(), content.data(), content.size(), 0) != static_cast<ssize_t>(content.size()))
    throw std::system_error(errno, std::generic_category(), "pwrite");
  return fd;
}

std::string content_of(const Fd& fd) {
  std::string text;
  char buffer[65536];
  ssize_t n = 0;
  while ((n = ::pread(fd.get(), buffer, sizeof buffer, static_cast<off_t>(text.size()))) > 0)
    text.append(buffer, static_cast<std::size_t>(n));
  return text;
}

std::vector<std::string> environment(const std::map<std::string, std::string>& changes) {
  std::vector<std::string> result;
  for (char** entry = environ; *entry != nullptr; entry++) {
    const std::string text = *entry;
    if (!changes.contains(text.substr(0, text.find('=')))) result.push_back(text);
  }
  for (const auto& [name, value] : changes)
    if (!value.empty()) result.push_back(name + "=" + value);
  return result;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> result;
  for (std::string& text : texts) result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

bool become(const User& user) {
  return ::syscall(SYS_setgroups, 0, nullptr) == 0 &&
         ::syscall(SYS_setresgid, user.gid, user.gid, user.gid) == 0 &&
         ::syscall(SYS_setresuid, user.uid, user.uid, user.uid) == 0;
}

// Between fork and exec: only system calls.
[[noreturn]] void exec_child(const Spawn& spawn, int in, int out, int err, char** argv,
                             char** envp) {
  ::setpgid(0, 0);
  ::dup2(in, 0);
  ::dup2(out, 1);
  ::dup2(err, 2);
  // What other threads have open in a mount just now would keep it busy.
  ::close_range(3, ~0U, 0);
  if (spawn.user && !become(*spawn.user)) ::_exit(126);
  ::prctl(PR_SET_PDEATHSIG, spawn.death_signal);  // after the change of user, which clears it
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  if (!spawn.cwd.empty() && ::chdir(spawn.cwd.c_str()) != 0) ::_exit(126);
  ::execvpe(argv[0], argv, envp);
  ::_exit(127);
}

}  // namespace

User ordinary_user() {
  const passwd* entry = ::getpwnam("nobody");
  return entry == nullptr ? User{65534, 65534} : User{entry->pw_uid, entry->pw_gid};
}

Child::Child(const std::vector<std::string>& args, const Spawn& spawn)
    : out_(memory_file("")), err_(memory_file("")) {
  std::vector<std::string> arg_texts = args;
  std::vector<std::string> env_texts = environment(spawn.env);
  std::vector<char*> argv = pointers(arg_texts);
  std::vector<char*> envp = pointers(env_texts);
  Fd in = spawn.input.empty() ? Fd(::open("/dev/null", O_RDONLY | O_CLOEXEC))
                              : memory_file(spawn.input);
  pid_ = ::fork();
  if (pid_ < 0) throw std::system_error(errno, std::generic_category(), "fork");
  if (pid_ == 0) exec_child(spawn, in.get(), out_.get(), err_.get(), argv.data(), envp.data());
}

Child::Child(Child&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      raw_status_(other.raw_status_),
      out_(std::move(other.out_)),
      err_(std::move(other.err_)) {}

Child::~Child() {
  if (pid_ < 0 || reaped(false)) return;
  ::kill(pid_, SIGKILL);
  reaped(true);
}

bool Child::reaped(bool block) {
  if (raw_status_) return true;
  int status = 0;
  pid_t got = 0;
  while ((got = ::waitpid(pid_, &status, block ? 0 : WNOHANG)) < 0 && errno == EINTR) {
  }
  if (got == pid_) raw_status_ = status;
  return raw_status_.has_value();
}

bool Child::running() { return pid_ >= 0 && !reaped(false); }

void Child::signal(int number) const {
  if (pid_ > 0 && !raw_status_) ::kill(pid_, number);
}

Finished Child::wait(std::chrono::milliseconds timeout) {
  Finished finished;
  if (!reaped(false)) {
    Fd watch(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
    pollfd ended{watch.get(), POLLIN, 0};
    finished.timed_out = ::poll(&ended, 1, static_cast<int>(timeout.count())) == 0;
    if (finished.timed_out) ::kill(pid_, SIGKILL);
    reaped(true);
  }
  const int raw = raw_status_.value_or(0);
  finished.status = WIFEXITED(raw) ? WEXITSTATUS(raw) : 128 + WTERMSIG(raw);
  finished.out = content_of(out_);
  finished.err = content_of(err_);
  return finished;
}

std::string Child::out_so_far() const { return content_of(out_); }
std::string Child::err_so_far() const { return content_of(err_); }

Finished run(const std::vector<std::string>& args, const Spawn& spawn) {
  return Child(args, spawn).wait(spawn.timeout);
}

std::string run_ok(const std::vector<std::string>& args, const Spawn& spawn) {
  Finished finished = run(args, spawn);
  if (finished.ok()) return std::move(finished.out);
  std::string what;
  for (const std::string& arg : args) what += arg + " ";
  throw std::runtime_error(what + (finished.timed_out ? "took too long: " : "failed: ") +
                           std::to_string(finished.status) + "\n" + finished.out + finished.err);
}

int as_user(User user, const std::function<int()>& body) {
  const pid_t pid = ::fork();
  if (pid < 0) throw std::system_error(errno, std::generic_category(), "fork");
  if (pid == 0) {
    if (!become(user)) ::_exit(126);
    try {
      ::_exit(body());
    } catch (const std::exception&) {
      ::_exit(125);
    }
  }
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

bool eventually(const std::function<bool()>& condition, std::chrono::milliseconds timeout) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return true;
}

}  // namespace tusk::test
