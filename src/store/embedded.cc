#include "tuskfs/store/embedded.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <libpq-fe.h>
#include <pwd.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <thread>
#include <vector>

#include "store/embedded_server.h"
#include "tuskfs/base/fd.h"
#include "tuskfs/base/log.h"

namespace tusk::store {
namespace {

namespace fs = std::filesystem;
using embedded::Identity;
using embedded::Server;
using Connection = std::unique_ptr<PGconn, decltype(&PQfinish)>;
using Rows = std::unique_ptr<PGresult, decltype(&PQclear)>;

// sockaddr_un holds 107 bytes and a NUL; the socket's own name takes 14 of them.
constexpr std::size_t kLongestDataDir = 107 - 14;
constexpr auto kAnswersWithin = std::chrono::seconds(10);
constexpr auto kSessionsLeave = std::chrono::milliseconds(500);

Result<Fd> open_lock(const std::string& path, int how) {
  Fd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  while (fd && ::flock(fd.get(), how) != 0) {
    if (errno != EINTR) fd.reset();
  }
  if (fd) return fd;
  const int code = errno;
  return fail(code, fmt::format("cannot lock {}: {}", path, std::strerror(code)));
}

std::string home_folder() {
  const char* home = std::getenv("HOME");
  if (home != nullptr && *home != '\0') return home;
  std::vector<char> buffer(16384);
  passwd entry{}, *found = nullptr;
  ::getpwuid_r(::geteuid(), &entry, buffer.data(), buffer.size(), &found);
  return found == nullptr ? "/" : found->pw_dir;
}

Result<Identity> postgres_user() {
  std::vector<char> buffer(16384);
  passwd entry{}, *found = nullptr;
  ::getpwnam_r("postgres", &entry, buffer.data(), buffer.size(), &found);
  if (found != nullptr) return Identity{found->pw_uid, found->pw_gid, true};
  return fail(ENOENT, "there is no user 'postgres' for the server to run as",
              "apt-get install postgresql, or mount as an ordinary user");
}

// Root's folders are served by the postgres user; everybody else's by their owner.
Result<Identity> identity_for(const std::string& data_dir) {
  struct stat found {};
  if (::stat(data_dir.c_str(), &found) != 0)
    return fail(errno, fmt::format("cannot use {}: {}", data_dir, std::strerror(errno)));
  Identity identity{::geteuid(), ::getegid(), false};
  if (identity.uid == 0) {
    TRY_ASSIGN(identity, postgres_user());
  }
  if (found.st_uid == identity.uid || found.st_uid == ::geteuid()) return identity;
  return fail(EACCES, fmt::format("{} belongs to another user (uid {})", data_dir, found.st_uid),
              "mount as that user, or choose another --data-dir");
}

Result<void> require_ours_or_empty(const std::string& data_dir) {
  std::error_code failed;
  const fs::directory_iterator entries(data_dir, failed);
  if (failed)
    return fail(failed.value(), fmt::format("cannot read {}: {}", data_dir, failed.message()));
  if (entries == fs::directory_iterator() || fs::exists(data_dir + "/start.lock", failed))
    return {};
  return fail(ENOTEMPTY, fmt::format("{} is not empty and is no data folder of tuskfs", data_dir),
              "choose another --data-dir");
}

Result<Identity> prepare_folder(const std::string& data_dir) {
  if (data_dir.size() > kLongestDataDir) {
    return fail(ENAMETOOLONG,
                fmt::format("the path of the data folder has {} bytes, and its socket allows {}",
                            data_dir.size(), kLongestDataDir),
                "choose a shorter --data-dir");
  }
  std::error_code failed;
  fs::create_directories(data_dir, failed);
  if (failed)
    return fail(failed.value(), fmt::format("cannot make {}: {}", data_dir, failed.message()),
                "choose another --data-dir");
  TRY_ASSIGN(const Identity identity, identity_for(data_dir));
  TRY(require_ours_or_empty(data_dir));
  // The server trusts whoever reaches its socket, so nobody else may enter.
  if (::chmod(data_dir.c_str(), 0700) != 0 ||
      (identity.switches && ::chown(data_dir.c_str(), identity.uid, identity.gid) != 0))
    return fail(errno, fmt::format("cannot own {}: {}", data_dir, std::strerror(errno)));
  return identity;
}

std::string conninfo_of(const std::string& data_dir, const char* database) {
  std::string quoted;
  for (const char c : data_dir) {
    if (c == '\'' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return fmt::format("host='{}' port=5432 user={} dbname={}", quoted, embedded::kRole, database);
}

Result<Connection> connect(const std::string& conninfo) {
  Connection connection(PQconnectdb(conninfo.c_str()), &PQfinish);
  if (PQstatus(connection.get()) == CONNECTION_OK) return connection;
  std::string what = PQerrorMessage(connection.get());
  while (!what.empty() && what.back() == '\n') what.pop_back();
  return fail(EIO, "cannot reach the embedded cluster: " + what.substr(0, what.find('\n')));
}

Result<std::string> ask(PGconn* connection, const char* statement) {
  const Rows rows(PQexec(connection, statement), &PQclear);
  const ExecStatusType status = PQresultStatus(rows.get());
  if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK)
    return fail(EIO,
                fmt::format("the embedded cluster refused: {}", PQresultErrorMessage(rows.get())));
  return PQntuples(rows.get()) > 0 ? PQgetvalue(rows.get(), 0, 0) : std::string();
}

// A server that has just been killed may still look alive: it runs when it answers.
Result<Connection> bring_up(Server& server, const std::string& data_dir) {
  const auto deadline = std::chrono::steady_clock::now() + kAnswersWithin;
  while (true) {
    TRY(server.ensure_running());
    auto connection = connect(conninfo_of(data_dir, "postgres"));
    if (connection || std::chrono::steady_clock::now() > deadline) return connection;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
}

Result<void> ensure_database(PGconn* connection) {
  TRY_ASSIGN(const std::string found,
             ask(connection, "select 1 from pg_catalog.pg_database where datname = 'tuskfs'"));
  if (!found.empty()) return {};
  TRY(ask(connection, "create database tuskfs"));
  return {};
}

// Whether somebody (a psql, a pg_dump) works in the cluster whom a stop would cut off.
bool others_connected(const std::string& data_dir) {
  const auto connection = connect(conninfo_of(data_dir, "postgres"));
  if (!connection) return false;
  const auto deadline = std::chrono::steady_clock::now() + kSessionsLeave;
  while (true) {
    const auto count = ask(connection->get(),
                           "select count(*) from pg_catalog.pg_stat_activity"
                           " where backend_type = 'client backend' and pid <> pg_backend_pid()");
    if (!count || *count == "0") return false;
    // Sessions of our own that just ended take a moment to leave.
    if (std::chrono::steady_clock::now() > deadline) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(25));
  }
}

class Claim final : public EmbeddedCluster {
 public:
  Claim(std::string data_dir, Identity identity)
      : data_dir_(std::move(data_dir)),
        conninfo_(conninfo_of(data_dir_, embedded::kDatabase)),
        server_(data_dir_, identity) {}
  ~Claim() override { give_back(); }

  const std::string& conninfo() const override { return conninfo_; }
  const std::string& data_dir() const override { return data_dir_; }
  void leave_running() override { leave_running_ = true; }

  Result<void> ensure_running() override {
    TRY_ASSIGN(const Fd starting, open_lock(data_dir_ + "/start.lock", LOCK_EX));
    TRY(bring_up(server_, data_dir_));
    return {};
  }

  Result<void> begin() {
    TRY_ASSIGN(const Fd starting, open_lock(data_dir_ + "/start.lock", LOCK_EX));
    TRY_ASSIGN(claims_, open_lock(data_dir_ + "/claims.lock", LOCK_SH));
    TRY(server_.ensure_made());
    TRY_ASSIGN(const Connection connection, bring_up(server_, data_dir_));
    return ensure_database(connection.get());
  }

 private:
  void give_back() {
    const auto starting = open_lock(data_dir_ + "/start.lock", LOCK_EX);
    if (!starting || !claims_ || leave_running_) return;
    // Nobody claims while we hold the start lock, so this tells whether we are the last.
    if (::flock(claims_.get(), LOCK_EX | LOCK_NB) != 0 || !server_.running()) return;
    if (others_connected(data_dir_)) {
      log::info("the embedded cluster stays up for other sessions until the next unmount");
      return;
    }
    if (const auto stopped = server_.stop(); !stopped) log::error("{}", stopped.error().what);
  }

  const std::string data_dir_, conninfo_;
  Server server_;
  Fd claims_;
  bool leave_running_ = false;
};

}  // namespace

std::string default_data_dir() {
  for (const auto& [variable, below] :
       {std::pair{"TUSKFS_DATA", ""}, {"XDG_DATA_HOME", "/tuskfs"}}) {
    const char* value = std::getenv(variable);
    if (value != nullptr && *value != '\0') return std::string(value) + below;
  }
  return home_folder() + "/.local/share/tuskfs";
}

Result<std::unique_ptr<EmbeddedCluster>> EmbeddedCluster::claim(const std::string& data_dir) {
  std::error_code failed;
  std::string folder = fs::weakly_canonical(fs::absolute(data_dir), failed);
  if (failed || folder.empty()) folder = fs::absolute(data_dir);
  TRY_ASSIGN(const Identity identity, prepare_folder(folder));
  auto claim = std::make_unique<Claim>(folder, identity);
  TRY(claim->begin());
  return claim;
}

}  // namespace tusk::store
