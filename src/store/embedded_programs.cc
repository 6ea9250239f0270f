#include "store/embedded_programs.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <optional>
#include <set>

#include "tuskfs/base/fd.h"

namespace tusk::store::embedded {
namespace {

namespace fs = std::filesystem;

constexpr int kOldestMajor = 13;

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> result;
  for (std::string& text : texts) result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

// Raw system calls: glibc's wrappers speak to the other threads, which a forked child has not.
bool take_on(const Identity& identity) {
  if (!identity.switches) return true;
  return ::syscall(SYS_setgroups, 0, nullptr) == 0 &&
         ::syscall(SYS_setresgid, identity.gid, identity.gid, identity.gid) == 0 &&
         ::syscall(SYS_setresuid, identity.uid, identity.uid, identity.uid) == 0;
}

// Between fork and exec of a program with threads: only system calls.
[[noreturn]] void exec_child(const Command& command, int in, int out, char** argv, char** envp) {
  ::dup2(in, STDIN_FILENO);
  ::dup2(out, STDOUT_FILENO);
  ::dup2(out, STDERR_FILENO);
  if (command.folder_fd >= 0) ::dup2(command.folder_fd, kFolderFd);  // without close-on-exec
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::signal(SIGPIPE, SIG_DFL);
  ::umask(077);
  if (command.dies_with_us) ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (!take_on(command.identity) || ::chdir("/") != 0) ::_exit(126);
  ::execve(argv[0], argv, envp);
  ::_exit(127);
}

std::string content_of(int fd) {
  std::string text;
  char buffer[4096];
  ssize_t n = 0;
  while ((n = ::pread(fd, buffer, sizeof buffer, static_cast<off_t>(text.size()))) > 0)
    text.append(buffer, static_cast<std::size_t>(n));
  return text;
}

// First number of "postgres (PostgreSQL) 15.4 (Debian …)".
std::optional<int> major_of(const std::string& program) {
  const auto said = run({.args = {program, "--version"}, .identity = {}});
  if (!said || said->status != 0) return {};
  const std::size_t digit = said->output.find_first_of("0123456789");
  if (digit == std::string::npos) return {};
  int major = 0;
  std::from_chars(said->output.data() + digit, said->output.data() + said->output.size(), major);
  return major;
}

using Names = std::vector<const char*>;  // the first one tells the version

bool has_programs(const std::string& folder, const Names& names) {
  return std::ranges::all_of(names, [&](const char* program) {
    return ::access((folder + "/" + program).c_str(), X_OK) == 0;
  });
}

std::vector<std::string> path_folders() {
  std::vector<std::string> folders;
  const char* path = std::getenv("PATH");
  std::string rest = path == nullptr ? "/usr/local/bin:/usr/bin:/bin" : path;
  for (std::size_t at = 0; at <= rest.size();) {
    const std::size_t end = std::min(rest.find(':', at), rest.size());
    if (end > at) folders.push_back(rest.substr(at, end - at));
    at = end + 1;
  }
  return folders;
}

std::optional<std::string> folder_by_pg_config() {
  for (const std::string& folder : path_folders()) {
    if (::access((folder + "/pg_config").c_str(), X_OK) != 0) continue;
    auto said = run({.args = {folder + "/pg_config", "--bindir"}, .identity = {}});
    if (!said || said->status != 0) continue;
    while (!said->output.empty() && said->output.back() == '\n') said->output.pop_back();
    return said->output;
  }
  return {};
}

std::set<std::string> candidate_folders(const Names& names) {
  std::vector<std::string> folders = path_folders();
  if (const auto folder = folder_by_pg_config()) folders.push_back(*folder);
  std::error_code none;
  for (const auto& version : fs::directory_iterator("/usr/lib/postgresql", none))
    folders.push_back(version.path() / "bin");
  std::set<std::string> result;
  for (const std::string& folder : folders) {
    // Links lead to where the programs find each other and their share folder.
    const fs::path real = fs::canonical(fs::path(folder) / names[0], none);
    if (!none && has_programs(real.parent_path(), names)) result.insert(real.parent_path());
  }
  return result;
}

// `major` 0: any that is not too old.
Programs newest_folder(int major, const Names& names) {
  Programs best;
  for (const std::string& folder : candidate_folders(names)) {
    const int found = major_of(folder + "/" + names[0]).value_or(0);
    const bool fits = major > 0 ? found == major : found >= kOldestMajor;
    if (fits && found > best.major) best = {folder, found};
  }
  return best;
}

}  // namespace

Result<Finished> run(const Command& command) {
  std::vector<std::string> args = command.args;
  // The server's processes keep a little memory between statements: giving it back to the kernel
  // and asking for it again was a fifth of a small commit.
  std::vector<std::string> env = {"PATH=/usr/local/bin:/usr/bin:/bin", "LC_ALL=C",
                                  "MALLOC_TOP_PAD_=1048576", "MALLOC_TRIM_THRESHOLD_=16777216"};
  env.insert(env.end(), command.environment.begin(), command.environment.end());
  std::vector<char*> argv = pointers(args);
  std::vector<char*> envp = pointers(env);
  const Fd out(::memfd_create("tuskfs-output", MFD_CLOEXEC));
  const Fd in(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  if (!out || !in) return fail(errno, fmt::format("cannot run {}", command.args[0]));
  const pid_t pid = ::fork();
  if (pid < 0) return fail(errno, fmt::format("cannot run {}: {}", args[0], std::strerror(errno)));
  if (pid == 0) exec_child(command, in.get(), out.get(), argv.data(), envp.data());
  int raw = 0;
  while (::waitpid(pid, &raw, 0) < 0) {
    if (errno != EINTR) return fail(errno, fmt::format("lost sight of {}", args[0]));
  }
  return Finished{WIFEXITED(raw) ? WEXITSTATUS(raw) : 128 + WTERMSIG(raw), content_of(out.get())};
}

Result<Programs> find_programs(int major) {
  Programs best = newest_folder(major, {"postgres", "initdb", "pg_ctl"});
  if (best.major > 0) return best;
  if (major > 0) {
    return fail(
        ENOENT,
        fmt::format("the cluster was made by PostgreSQL {0}, which is not installed", major),
        fmt::format("install postgresql-{0}, or bring the cluster up with pg_upgrade", major));
  }
  return fail(ENOENT,
              "no PostgreSQL server (initdb, pg_ctl, postgres) of version 13 or newer found",
              "apt-get install postgresql, or put its bin folder into PATH");
}

Result<Programs> find_dump_programs() {
  Programs best = newest_folder(0, {"pg_dump", "pg_restore"});
  if (best.major > 0) return best;
  return fail(ENOENT, "no pg_dump and pg_restore of version 13 or newer found",
              "apt-get install postgresql-client, or put their bin folder into PATH");
}

}  // namespace tusk::store::embedded
