#include "store/embedded_server.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <thread>

#include "store/embedded_settings.h"

namespace tusk::store::embedded {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

// Crash recovery replays at most max_wal_size.
constexpr const char* kStartSeconds = "600";
constexpr const char* kStopSeconds = "120";
// Backends of a killed postmaster notice its death at their next wait.
constexpr auto kOrphansLeave = 20s;
constexpr auto kPollEvery = 50ms;

std::string line_of(const fs::path& path, int number) {
  std::ifstream file(path);
  std::string line;
  for (int i = 0; i < number; i++)
    if (!std::getline(file, line)) return {};
  return line;
}

int number_in(const std::string& text) {
  int number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

bool same_folder(const fs::path& a, const fs::path& b) {
  struct stat first, second;
  return ::stat(a.c_str(), &first) == 0 && ::stat(b.c_str(), &second) == 0 &&
         first.st_dev == second.st_dev && first.st_ino == second.st_ino;
}

bool is_postgres(const fs::path& process) {
  return line_of(process / "comm", 1).starts_with("postgres");
}

// Every process of a server has the cluster as its working folder. Those of others are not looked
// at: one of them may be on a filesystem that does not answer.
std::vector<pid_t> processes_in(const std::string& cluster) {
  std::vector<pid_t> found;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator("/proc", ignored)) {
    const int pid = number_in(entry.path().filename());
    if (pid > 0 && is_postgres(entry.path()) && same_folder(entry.path() / "cwd", cluster))
      found.push_back(pid);
  }
  return found;
}

Result<Fd> open_folder(const std::string& folder) {
  Fd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return fail(errno, fmt::format("cannot open {}: {}", folder, std::strerror(errno)));
  return fd;
}

Result<void> write_file(const fs::path& path, const std::string& text, const Identity& owner) {
  const Fd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  const bool written =
      fd && ::write(fd.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
      (!owner.switches || ::fchown(fd.get(), owner.uid, owner.gid) == 0);
  if (written) return {};
  const int code = errno;
  return fail(code, fmt::format("cannot write {}: {}", path.string(), std::strerror(code)));
}

std::string last_complaint(const fs::path& log) {
  std::ifstream file(log);
  std::string found;
  for (std::string line; std::getline(file, line);) {
    for (const char* mark : {"FATAL:", "PANIC:", "error:", "initdb:"})
      if (const std::size_t at = line.find(mark); at != std::string::npos) found = line.substr(at);
  }
  return found;
}

std::string last_line(std::string text) {
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text.substr(text.rfind('\n') + 1);
}

std::string cause(const std::string& output) {
  const std::size_t at = output.find("error:");
  if (at == std::string::npos) return last_line(output);
  return output.substr(at + 7, output.find('\n', at) - at - 7);
}

}  // namespace

Server::Server(std::string data_dir, Identity identity)
    : data_dir_(std::move(data_dir)),
      cluster_(data_dir_ + "/" + kClusterFolder),
      identity_(identity) {}

Result<Programs> Server::programs() const {
  return find_programs(number_in(line_of(cluster_ + "/PG_VERSION", 1)));
}

// Whether the server's user gets there by the path itself.
bool Server::reachable(const std::string& folder) const {
  if (!identity_.switches) return true;
  const auto tried = run({.args = {"/usr/bin/test", "-x", folder}, .identity = identity_});
  return tried && tried->status == 0;
}

Result<Finished> Server::run_on(const std::string& cluster, const std::string& program,
                                std::vector<std::string> args) const {
  TRY_ASSIGN(const Fd folder, open_folder(cluster));
  return run_in(folder, cluster, program, std::move(args));
}

Result<Finished> Server::run_in(const Fd& folder, const std::string& cluster,
                                const std::string& program, std::vector<std::string> args) const {
  const std::string path =
      reachable(cluster) ? cluster : fmt::format("/proc/self/fd/{}", kFolderFd);
  args.insert(args.begin(), {program, "-D", path});
  for (std::string& arg : args)
    if (arg.starts_with("@/")) arg = path + arg.substr(1);
  return run({.args = std::move(args), .identity = identity_, .folder_fd = folder.get()});
}

Result<void> Server::ensure_made() {
  std::error_code ignored;
  if (fs::exists(cluster_ + "/PG_VERSION", ignored)) return {};
  TRY_ASSIGN(const Programs found, find_programs(0));
  return make(found);
}

// In a folder beside it that is renamed at the end, so that half a cluster is never taken for one.
Result<void> Server::make(const Programs& programs) const {
  const std::string unfinished = cluster_ + ".new";
  std::error_code failed;
  fs::remove_all(unfinished, failed);
  if (::mkdir(unfinished.c_str(), 0700) != 0 ||
      (identity_.switches && ::chown(unfinished.c_str(), identity_.uid, identity_.gid) != 0))
    return fail(errno, fmt::format("cannot make {}: {}", unfinished, std::strerror(errno)));
  TRY_ASSIGN(const Finished made,
             run_on(unfinished, programs.path("initdb"),
                    {"--username", kRole, "--encoding=UTF8", "--locale=C", "--data-checksums",
                     "--auth-local=trust", "--auth-host=reject"}));
  if (made.status != 0) return fail(EIO, "initdb failed: " + cause(made.output));
  std::ofstream(unfinished + "/postgresql.conf", std::ios::app)
      << fmt::format("\ninclude '{}'\n", kSettingsFile);
  fs::rename(unfinished, cluster_, failed);
  if (failed) return fail(failed.value(), fmt::format("cannot rename {}", unfinished));
  return {};
}

Result<void> Server::write_settings(const Programs& programs) const {
  const std::string path = cluster_ + "/" + kSettingsFile;
  TRY(write_file(path, settings(false), identity_));
  TRY_ASSIGN(const Finished asked, run_on(cluster_, programs.path("postgres"),
                                          {"-C", "wal_compression", "-c", "wal_compression=lz4"}));
  return write_file(path, settings(asked.status == 0), identity_);
}

bool Server::running() const {
  const int pid = number_in(line_of(cluster_ + "/postmaster.pid", 1));
  // The pid may be another's since a crash.
  const fs::path process = fmt::format("/proc/{}", pid);
  return pid > 0 && is_postgres(process) && same_folder(process / "cwd", cluster_);
}

// A server that this process cannot see, such as one of another container.
bool Server::answers() const {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = data_dir_ + "/.s.PGSQL.5432";
  if (path.size() >= sizeof address.sun_path) return false;
  std::memcpy(address.sun_path, path.data(), path.size());
  const Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  return fd && ::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
}

// Whether the cluster is ours to start a server in: nobody works in it. The lock on its folder is
// inherited by pg_ctl and by all of the server's processes, so that one that a killed driver was
// starting is noticed before it has written anything.
bool Server::is_abandoned(const Fd& cluster) const {
  if (::flock(cluster.get(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) return false;
  return processes_in(cluster_).empty();
}

// Answers whether a server runs; else the cluster is abandoned and locked.
Result<bool> Server::await_server_or_none(const Fd& cluster) const {
  const auto deadline = std::chrono::steady_clock::now() + kOrphansLeave;
  while (!running() && !answers()) {
    if (is_abandoned(cluster)) return false;
    if (std::chrono::steady_clock::now() > deadline) {
      const std::vector<pid_t> left = processes_in(cluster_);
      const std::string pid = left.empty() ? "?" : std::to_string(left[0]);
      return fail(EBUSY, fmt::format("a crashed server of {} still has process {}", data_dir_, pid),
                  left.empty() ? "" : "kill " + pid);
    }
    std::this_thread::sleep_for(kPollEvery);
  }
  return true;
}

Result<void> Server::await_ready() const {
  while (running()) {
    if (line_of(cluster_ + "/postmaster.pid", 8).starts_with("ready")) return {};
    std::this_thread::sleep_for(kPollEvery);
  }
  return fail(EIO, "PostgreSQL does not start: " + why_it_did_not_start());
}

std::string Server::why_it_did_not_start() const {
  std::string found = last_complaint(cluster_ + "/startup.log");
  if (!found.empty()) return found;
  std::error_code ignored;
  fs::file_time_type newest = fs::file_time_type::min();
  for (const auto& log : fs::directory_iterator(cluster_ + "/log", ignored)) {
    if (log.last_write_time(ignored) < newest) continue;
    newest = log.last_write_time(ignored);
    found = last_complaint(log.path());
  }
  return found.empty() ? "its logs are in " + cluster_ : found;
}

// Nobody works in the cluster, so these files are stale. The pid in them may be a stranger's by
// now, or a process not yet reaped, either of which PostgreSQL would take for a running server.
void Server::forget_crashed_server() const {
  for (const char* name : {"/cluster/postmaster.pid", "/.s.PGSQL.5432.lock", "/.s.PGSQL.5432"}) {
    std::error_code ignored;
    fs::remove(data_dir_ + name, ignored);
  }
}

Result<void> Server::ensure_running() {
  TRY_ASSIGN(const Fd cluster, open_folder(cluster_));
  TRY_ASSIGN(bool there, await_server_or_none(cluster));
  // One that was killed just now may be met while it goes: then it is never ready.
  while (there && running()) {
    if (await_ready()) return {};
    TRY_ASSIGN(there, await_server_or_none(cluster));
  }
  if (there) return {};
  forget_crashed_server();
  TRY_ASSIGN(const Programs found, programs());
  TRY(write_settings(found));
  TRY(write_file(cluster_ + "/startup.log", "", identity_));
  TRY_ASSIGN(const Finished started,
             run_in(cluster, cluster_, found.path("pg_ctl"),
                    {"start", "-w", "-s", "-t", kStartSeconds, "-l", "@/startup.log"}));
  if (started.status == 0) return {};
  return fail(EIO, "PostgreSQL does not start: " + why_it_did_not_start(),
              fmt::format("see {}/startup.log", cluster_));
}

Result<void> Server::stop() {
  if (!running()) return {};
  TRY_ASSIGN(const Programs found, programs());
  TRY_ASSIGN(const Finished stopped,
             run_on(cluster_, found.path("pg_ctl"),
                    {"stop", "-w", "-s", "-m", "fast", "-t", kStopSeconds}));
  if (stopped.status == 0 || !running()) return {};
  return fail(EIO, "PostgreSQL does not stop: " + last_line(stopped.output));
}

}  // namespace tusk::store::embedded
